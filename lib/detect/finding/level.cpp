#include "detect/finding/level.hpp"

namespace coir::detail {

namespace {

double milliseconds(std::chrono::nanoseconds length) noexcept {
    return std::chrono::duration<double, std::milli>(length).count();
}

bool slept_for_long(const finding& what, const level_limits& limits) noexcept {
    // The duration of a call that never returned may be unknown.
    if (what.goes_on || what.max_ms >= milliseconds(limits.longest)) return true;
    return what.total_ms >= milliseconds(limits.total) &&
           what.total_ms > limits.share * milliseconds(limits.fibers_time);
}

}  // namespace

blocking_level level_of(const finding& what, const level_limits& limits) noexcept {
    using enum blocking_level;
    if (what.kind == blocking_kind::hog || what.waits_for_itself) return error;
    const bool slept = what.kind == blocking_kind::blocked;
    switch (what.rule == level_rule::by_call ? call_named(what.call).rule : what.rule) {
    case level_rule::always: return error;
    case level_rule::once_asleep: return slept ? error : warning;
    case level_rule::by_call:
    case level_rule::once_long: return slept && slept_for_long(what, limits) ? error : warning;
    case level_rule::warning: return warning;
    case level_rule::note: return note;
    }
    return error;
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
