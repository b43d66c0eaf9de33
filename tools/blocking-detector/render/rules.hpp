#pragma once

#include <coir/blocking.hpp>

#include <span>
#include <string>
#include <string_view>

namespace detector {

/// One rule for each class of blocking. All reports use the same ids, which never change.
struct rule {
    std::string_view id;    // "BD001"
    std::string_view name;  // the name of the class, or a clearer one
    coir::blocking_class category = coir::blocking_class::other;
    std::string_view title;    // a short sentence
    std::string_view meaning;  // what the tool has observed
    std::string_view harm;
    std::string_view remedy;
    std::string_view before;  // C++ at namespace scope that compiles with coir and the standard library
    std::string_view after;
};

/// In the order of their ids.
[[nodiscard]] std::span<const rule> all_rules() noexcept;

[[nodiscard]] const rule& rule_for(coir::blocking_class category) noexcept;

/// The index of the rule in `all_rules()`.
[[nodiscard]] std::size_t index_of(const rule& which) noexcept;

/// Finds a rule by id, name or class, ignoring case; null when there is none.
[[nodiscard]] const rule* rule_named(std::string_view name) noexcept;

/// The output of the command `explain`.
[[nodiscard]] std::string explain(const rule& which);

/// The same text in Markdown, without the title.
[[nodiscard]] std::string explain_in_markdown(const rule& which);

/// The output of the command `list-rules`: one line a rule.
[[nodiscard]] std::string list_rules();

}  // namespace detector
