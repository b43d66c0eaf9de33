#pragma once

#include "finding.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace detector {

/// A line of a source file.
struct source_line {
    std::string file;
    int line = 0;
};

/// "1.25 s", "20 ms", "0.35 ms".
[[nodiscard]] std::string duration_text(double milliseconds);

/// For a headline: what is between `<` and `>` or `(` and `)` is left out, and so is what is beyond `length`.
[[nodiscard]] std::string short_name(std::string_view function, std::size_t length = 60);

/// The function, or "module+0xoffset".
[[nodiscard]] std::string function_or_offset(const frame& which);

/// "file:line".
[[nodiscard]] std::string to_string(const source_line& which);

/// "function at file:line" or "function in module".
[[nodiscard]] std::string to_string(const frame& which);

/// `fiber "worker" held its thread 3 times for 60 ms, 25 ms at most, asleep in nanosleep (sleep)`: one line.
[[nodiscard]] std::string headline(const finding& what);

/// "use coir::this_fiber::sleep_for".
[[nodiscard]] std::string remedy(const finding& what);

/// The user's frame; null for none.
[[nodiscard]] const frame* users_frame(const finding& what) noexcept;

/// The user's line, or else what comes nearest to it: that of the innermost frame with a source that is no plumbing,
/// the one at which the fiber was spawned, any at all.
[[nodiscard]] std::optional<source_line> nearest_line(const finding& what);

/// As above, and the program itself at the last: for formats that refuse a finding without a index.
[[nodiscard]] source_line some_line(const finding& what, const result& in);

/// The stack without what all fibers begin with; whole when there is nothing else.
[[nodiscard]] std::span<const frame> telling_part(const finding& what) noexcept;

/// Its frames, one a line, innermost first.
[[nodiscard]] std::string stack_text(const finding& what);

/// Its functions, outermost first, and then the call: as flame graphs are drawn.
[[nodiscard]] std::vector<std::string> path_to(const finding& what);

}  // namespace detector
