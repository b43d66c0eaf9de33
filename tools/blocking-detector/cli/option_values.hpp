#pragma once

#include <coir/blocking.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace detector {

/// `-o FORMAT[:FILE]`.
struct output_request {
    std::string format;
    std::string path;  // empty: standard output
};

// Parsers of option values. All throw `usage_error` for an invalid text.

[[nodiscard]] output_request output_in(const std::string& text);
[[nodiscard]] std::string names_of_all_formats();

/// "error", "warning" or "note".
[[nodiscard]] coir::blocking_level level_in(const std::string& text);

/// The same, or "none", which is empty.
[[nodiscard]] std::optional<coir::blocking_level> failing_level_in(const std::string& text);

[[nodiscard]] std::size_t count_in(const std::string& text);

/// "1ms", "0.5s", "20us", "2min"; a number without a unit is in `unit`.
[[nodiscard]] std::chrono::nanoseconds duration_in(const std::string& text, std::chrono::nanoseconds unit);

/// "sleep,dns" (only these) or "-disk,-pipe" (all except these).
[[nodiscard]] coir::blocking_classes classes_in(const std::string& list);

}  // namespace detector
