#pragma once

#include <coir/blocking.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// What is not to be reported: rules, one a line, as `blocking_options::suppressions` describes them. At the end of a
/// rule may stand `until=2026-12-31`, the last day on which it counts (in UTC), and `reason=` and a text.
class suppressions {
public:
    enum class subject { call_stack, function_name, library, source, category, fiber };

    struct condition {
        subject about;
        std::string glob;  // matches the whole text
    };

    struct rule {
        std::string text;    // as written, without what follows the patterns
        std::string place;   // "file:line"
        std::string reason;  // empty: none was given
        std::optional<std::chrono::sys_days> until;
        std::vector<condition> conditions;  // all have to hold

        [[nodiscard]] bool is_over() const noexcept;
    };

    suppressions() = default;

    /// The rules of a file. Throws as `add_file`.
    explicit suppressions(const std::string& path) { add_file(path); }

    /// Throws `std::system_error` when the file cannot be read, `std::invalid_argument` for a line that is no rule.
    void add_file(const std::string& path);

    /// The rules of a text; `name` is its name in messages and places. Throws `std::invalid_argument`.
    void add(std::string_view text, const std::string& name);

    /// The first rule that holds, of those that are not over; null when there is none.
    [[nodiscard]] const rule* match(const blocking_report& report) const;

    /// In the order in which they were added.
    [[nodiscard]] const std::vector<rule>& rules() const noexcept { return rules_; }

private:
    std::vector<rule> rules_;
};

/// Whether all of `text` matches `glob`, in which `*` stands for anything.
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view text) noexcept;

}  // namespace coir::detail
