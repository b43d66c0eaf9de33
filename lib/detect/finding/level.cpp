#include "detect/finding/level.hpp"

#include "detect/finding/wording.hpp"

namespace coir::detail {

namespace {

bool slept_for_long(const finding& what, const level_limits& limits) noexcept {
    // The duration of a call that never returned may be unknown.
    if (what.goes_on || what.max_ms >= in_milliseconds(limits.longest)) return true;
    return what.total_ms >= in_milliseconds(limits.total) && what.total_ms > limits.share * what.fibers_ran_ms;
}

}  // namespace

blocking_level level_of(const finding& what, const level_limits& limits) noexcept {
    if (what.kind == blocking_kind::hog || what.waits_for_itself) return blocking_level::error;
    const bool slept = what.kind == blocking_kind::blocked;
    return level_of_call(what.call, what.rule, slept, slept && slept_for_long(what, limits));
}

std::string_view to_string(blocking_level level) noexcept {
    switch (level) {
    case blocking_level::note: return "note";
    case blocking_level::warning: return "warning";
    case blocking_level::error: return "error";
    }
    return "";
}

std::string_view to_string(level_rule rule) noexcept {
    switch (rule) {
    case level_rule::by_call: return "by_call";
    case level_rule::always: return "always";
    case level_rule::once_asleep: return "once_asleep";
    case level_rule::once_long: return "once_long";
    case level_rule::warning: return "warning";
    case level_rule::note: return "note";
    }
    return "";
}

}  // namespace coir::detail
