#pragma once

#include "detect/finding/finding.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// A line of a source file.
struct source_line {
    std::string file;
    int line = 0;
};

[[nodiscard]] inline double in_milliseconds(std::chrono::nanoseconds length) noexcept {
    return std::chrono::duration<double, std::milli>(length).count();
}

/// "3 errors", "1 error".
[[nodiscard]] std::string counted(std::uint64_t number, const std::string& what);

/// "1.25 s", "20 ms", "0.35 ms".
[[nodiscard]] std::string duration_text(double milliseconds);

/// For a headline: the name without template and function arguments, cut to `length`.
[[nodiscard]] std::string short_name(std::string_view function, std::size_t length = 60);

/// The function, or "module+0xoffset".
[[nodiscard]] std::string function_or_offset(const frame& which);

/// "file:line".
[[nodiscard]] std::string to_string(const source_line& which);

/// "function at file:line" or "function in module".
[[nodiscard]] std::string to_string(const frame& which);

/// `fiber #7`, or `fiber "worker"`, or `fiber #7 "worker"`.
[[nodiscard]] std::string fiber_text(const finding& what);

/// "computing", "asleep in nanosleep (sleep)".
[[nodiscard]] std::string activity_text(const finding& what);

/// One line without control characters: `fiber "worker" held its thread 3 times for 60 ms, 25 ms at most, asleep in nanosleep (sleep)`.
[[nodiscard]] std::string headline(const finding& what);

/// "use coir::this_fiber::sleep_for": by what the stack shows below the user's frame, else by the call.
[[nodiscard]] std::string remedy(const finding& what);

/// The frame of the user's code at which the finding is reported; null if there is none.
[[nodiscard]] const frame* users_frame(const finding& what) noexcept;

/// For a headline: the line of the user's frame, or else its function or address; the spawn site if there is none.
[[nodiscard]] std::string location_text(const finding& what);

/// The line of the user's frame. If it is unknown, in this order: the innermost frame with a source file that is not
/// plumbing, the spawn site of the fiber, any frame with a source file.
[[nodiscard]] std::optional<source_line> nearest_line(const finding& what);

/// The stack without the outermost frames that are plumbing; the whole stack if there are no others.
[[nodiscard]] std::span<const frame> telling_part(const finding& what) noexcept;

/// The frames of `telling_part`, one a line, innermost first.
[[nodiscard]] std::string stack_text(const finding& what);

/// The functions of `telling_part`, outermost first, followed by the call. For flame graphs.
[[nodiscard]] std::vector<std::string> path_to(const finding& what);

}  // namespace coir::detail
