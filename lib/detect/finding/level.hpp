#pragma once

#include "detect/finding/finding.hpp"

#include <chrono>

namespace coir::detail {

/// When a call is an error that is one only if it was asleep for long (`level_rule::once_long`). Time in a call that
/// did not sleep never counts.
struct level_limits {
    std::chrono::nanoseconds longest = std::chrono::milliseconds{1};  // one sleep
    std::chrono::nanoseconds total = std::chrono::milliseconds{10};   // all of them, if that is also more than
    double share = 0.01;                                              // of the time that the fibers ran
};

[[nodiscard]] blocking_level level_of(const finding& what, const level_limits& limits = {}) noexcept;

/// The names that JSON and options use: "note", "warning", "error"; "once_long".
[[nodiscard]] std::string_view to_string(blocking_level level) noexcept;
[[nodiscard]] std::string_view to_string(level_rule rule) noexcept;

}  // namespace coir::detail
