#include "fingerprint.hpp"

#include "detect/classes.hpp"
#include "phrases.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace detector {

namespace {

// Enough to tell the callers of a common function apart, and few enough that a change far away does not matter.
constexpr int frames_taken = 5;

/// FNV-1a, with a byte after each text that no text contains.
class hash {
public:
    void add(std::string_view text) noexcept {
        for (const char each : text) mix(static_cast<unsigned char>(each));
        mix(0xff);
    }

    [[nodiscard]] std::string text() const {
        std::array<char, 17> digits;
        std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(value_));
        return digits.data();
    }

private:
    void mix(unsigned char byte) noexcept { value_ = (value_ ^ byte) * 0x100000001b3; }

    std::uint64_t value_ = 0xcbf29ce484222325;
};

/// The function whose frame it is, which others were inlined into.
const frame& physical(const std::vector<frame>& stack, std::size_t at) {
    const auto is_same = [&](const frame& each) {
        return each.module == stack[at].module && each.offset == stack[at].offset;
    };
    while (at + 1 < stack.size() && is_same(stack[at + 1])) ++at;
    return stack[at];
}

/// The name without arguments, of functions and of templates; for a function without one, its place in the file.
std::string identity_of(const std::vector<frame>& stack, std::size_t at) {
    const frame& here = stack[at];
    if (here.function.empty()) return function_or_offset(here);
    // Of a lambda which was inlined there is nothing more; the arguments of the template around it name it.
    if (here.function == "operator()") return physical(stack, at).function;
    return short_name(here.function, std::string_view::npos);
}

}  // namespace

std::string fingerprint_of(const finding& where) {
    hash made;
    made.add(coir::detail::to_string(where.category));
    made.add(where.call);
    int taken = 0;
    for (std::size_t i = where.location < 0 ? 0 : static_cast<std::size_t>(where.location);
         i < where.stack.size() && taken < frames_taken; ++i) {
        if (where.stack[i].plumbing && where.location >= 0) continue;
        made.add(identity_of(where.stack, i));
        ++taken;
    }
    if (taken == 0) made.add(where.spawned_at.substr(0, where.spawned_at.rfind(':')));
    return made.text();
}

}  // namespace detector
