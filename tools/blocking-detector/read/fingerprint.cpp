#include "read/fingerprint.hpp"

#include "base/fnv1a.hpp"
#include "detect/calls/classes.hpp"
#include "render/phrases.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace detector {

namespace {

// Enough to distinguish the callers of a common function, but few enough that a distant change has no effect.
constexpr int frames_taken = 5;

/// A hash of several texts. A byte that occurs in no text separates them.
class hash {
public:
    void add(std::string_view text) noexcept {
        hash_.mix(text);
        hash_.mix(std::uint64_t{0xff});
    }

    [[nodiscard]] std::string text() const {
        std::array<char, 17> digits;
        std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash_.value()));
        return digits.data();
    }

private:
    coir::detail::fnv1a hash_;
};

/// The function that the frame at `at` was inlined into, or that frame itself if it was not inlined.
const frame& physical(const std::vector<frame>& stack, std::size_t at) {
    const auto is_same = [&](const frame& each) {
        return each.module == stack[at].module && each.offset == stack[at].offset;
    };
    while (at + 1 < stack.size() && is_same(stack[at + 1])) ++at;
    return stack[at];
}

/// The name without template and function arguments; for a function without a name, its offset in the module.
std::string identity_of(const std::vector<frame>& stack, std::size_t at) {
    const frame& here = stack[at];
    if (here.function.empty()) return function_or_offset(here);
    // An inlined lambda has no other name. The template arguments of the function around it identify it.
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
