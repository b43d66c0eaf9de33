#pragma once

#include <coir/blocking.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace detector {

/// `-o FORMAT[:FILE]`.
struct output_request {
    std::string format;
    std::string path;  // empty: standard output
};

/// The kinds of findings that lead to the exit status `exit_findings`.
struct failing_kinds {
    bool blocked = true;
    bool hog = true;
    bool latent = false;

    [[nodiscard]] bool contain(coir::blocking_kind kind) const noexcept;
};

// Parsers of option values. All throw `usage_error` for an invalid text.

[[nodiscard]] output_request output_in(const std::string& text);
[[nodiscard]] std::string names_of_all_formats();

/// "blocked,latent", or "none".
[[nodiscard]] failing_kinds failing_kinds_in(const std::string& list);

[[nodiscard]] std::size_t count_in(const std::string& text);

/// "1ms", "0.5s", "20us", "2min"; a number without a unit is in `unit`.
[[nodiscard]] std::chrono::nanoseconds duration_in(const std::string& text, std::chrono::nanoseconds unit);

/// "sleep,dns" (only these) or "-disk,-pipe" (all except these).
[[nodiscard]] coir::blocking_classes classes_in(const std::string& list);

}  // namespace detector
