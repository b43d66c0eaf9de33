#pragma once

#include <coir/blocking.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// What is not to be reported: the rules of a file, as `blocking_options::suppressions` describes them.
class suppressions {
public:
    suppressions() = default;

    /// Throws `std::system_error` when the file cannot be read, `std::invalid_argument` for a line that is no rule.
    explicit suppressions(const std::string& path);

    [[nodiscard]] bool match(const blocking_report& report) const;

private:
    enum class subject { call_stack, function_name, library, source, category, fiber };

    struct condition {
        subject about;
        std::string glob;  // matches the whole text
    };
    using rule = std::vector<condition>;

    static condition parse(std::string_view text);
    static bool holds(const condition& each, const blocking_report& report);

    std::vector<rule> rules_;
};

/// Whether all of `text` matches `glob`, in which `*` stands for anything.
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view text) noexcept;

}  // namespace coir::detail
