#pragma once

#include "detect/finding/finding.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// Rules for findings that are not reported, one rule a line; `blocking_options::suppressions` describes them. A rule
/// may end with `until=2026-12-31`, the last day on which it applies (in UTC), and with `reason=` and a text.
class suppressions {
public:
    enum class subject { call_stack, function_name, library, source, category, fiber };

    struct condition {
        subject about;
        std::string glob;  // must match the whole text
    };

    struct rule {
        std::string text;      // the patterns as written, without `until=` and `reason=`
        std::string location;  // "file:line"
        std::string reason;    // empty: none
        std::optional<std::chrono::sys_days> until;
        std::vector<condition> conditions;  // all must hold

        [[nodiscard]] bool is_over() const noexcept;
    };

    suppressions() = default;

    /// Reads the rules of a file. Throws the same errors as `add_file`.
    explicit suppressions(const std::string& path) { add_file(path); }

    /// Throws `std::system_error` when the file cannot be read, `std::invalid_argument` for a malformed line.
    void add_file(const std::string& path);

    /// Adds the rules in `text`; `name` replaces the file name in messages and in `rule::place`. Throws
    /// `std::invalid_argument`, which names the line. The rules before that line stay added.
    void add(std::string_view text, const std::string& name);

    /// The first rule that matches the finding and has not expired; null when there is none. A library is matched by the
    /// name of its file.
    [[nodiscard]] const rule* match(const finding& what) const;

    /// In the order in which they were added.
    [[nodiscard]] const std::vector<rule>& rules() const noexcept { return rules_; }

private:
    std::vector<rule> rules_;
};

/// Whether the whole `text` matches `glob`, in which `*` stands for any text.
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view text) noexcept;

}  // namespace coir::detail
