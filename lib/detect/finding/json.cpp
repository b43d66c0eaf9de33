#include "detect/finding/json.hpp"

#include "base/printable.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"

#include <array>
#include <concepts>
#include <cstdio>
#include <string_view>

namespace coir::detail {

namespace {

std::string quoted_json(std::string_view text) {
    std::string result = "\"";
    for (const char each : as_utf8(text)) {
        const auto code = static_cast<unsigned char>(each);
        if (each == '"' || each == '\\') {
            result += '\\';
            result += each;
        } else if (code < 0x20 || code == 0x7f) {
            std::array<char, 8> escape;
            std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(code));
            result += escape.data();
        } else {
            result += each;
        }
    }
    return result += '"';
}

/// An object under construction.
class object {
public:
    object& add(std::string_view name, std::string_view text) { return put(name, quoted_json(text)); }
    object& add(std::string_view name, const char* text) { return put(name, quoted_json(text)); }
    object& add(std::string_view name, std::same_as<bool> auto yes) { return put(name, yes ? "true" : "false"); }
    object& add(std::string_view name, std::integral auto number) requires(!std::same_as<decltype(number), bool>) {
        return put(name, std::to_string(number));
    }
    object& add(std::string_view name, double number) {
        std::array<char, 32> text;
        std::snprintf(text.data(), text.size(), "%.6f", number);
        return put(name, text.data());
    }
    object& put(std::string_view name, const std::string& json) {
        text_ += text_.size() > 1 ? "," : "";
        text_ += quoted_json(name) + ':' + json;
        return *this;
    }
    [[nodiscard]] std::string done() const { return text_ + '}'; }

private:
    std::string text_ = "{";
};

std::string to_json(const frame& each) {
    object made;
    made.add("function", each.function).add("file", each.file).add("line", each.line);
    made.add("module", each.module).add("offset", each.offset);
    if (each.plumbing) made.add("plumbing", true);
    return made.done();
}

std::string location_of(const finding& what) {
    const frame* const users = users_frame(what);
    if (users == nullptr) return "null";
    return object{}.add("file", users->file).add("line", users->line).add("function", users->function).done();
}

}  // namespace

std::string to_json(const finding& what) {
    std::string stack;
    for (const frame& each : what.stack) stack.append(stack.empty() ? "[" : ",").append(to_json(each));
    return object{}
        .add("version", json_version)
        .add("kind", to_string(what.kind))
        .add("level", to_string(what.level))
        .add("level_rule", to_string(what.rule))
        .add("class", to_string(what.category))
        .add("call", what.call)
        .add("count", what.count)
        .add("total_ms", what.total_ms)
        .add("max_ms", what.max_ms)
        .add("fibers_ran_ms", what.fibers_ran_ms)
        .add("goes_on", what.goes_on)
        .add("waits_for_itself", what.waits_for_itself)
        .add("fiber", what.fiber)
        .add("fiber_id", what.fiber_id)
        .add("spawned_at", what.spawned_at)
        .add("test_case", what.test_case)
        .put("location", location_of(what))
        .add("location_in_stack", what.location)
        .put("stack", stack.empty() ? "[]" : stack + ']')
        .add("stacks", what.stacks)
        .add("fingerprint", what.fingerprint)
        .add("coarse_fingerprint", what.coarse_fingerprint)
        .add("suppressed_by", what.suppressed_by)
        .done();
}

}  // namespace coir::detail
