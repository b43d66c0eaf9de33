#pragma once

#include <coir/blocking.hpp>

#include <span>
#include <string>
#include <string_view>

namespace detector {

/// What the tool looks for, one for each class of blocking: the same ids in all reports, for good.
struct rule {
    std::string_view id;    // "BD001"
    std::string_view name;  // that of its class, or a plainer one
    coir::blocking_class category = coir::blocking_class::other;
    std::string_view title;    // a few words
    std::string_view meaning;  // what was seen
    std::string_view harm;
    std::string_view remedy;
    std::string_view before;  // C++ at namespace scope, which compiles with what coir and the standard offer
    std::string_view after;
};

/// In the order of their ids.
[[nodiscard]] std::span<const rule> all_rules() noexcept;

[[nodiscard]] const rule& rule_for(coir::blocking_class category) noexcept;

/// Its place in `all_rules()`.
[[nodiscard]] std::size_t index_of(const rule& which) noexcept;

/// By id, name or class, in capitals or not; null when there is none.
[[nodiscard]] const rule* rule_named(std::string_view name) noexcept;

/// What `explain` prints.
[[nodiscard]] std::string explain(const rule& which);

/// The same as Markdown, without the title.
[[nodiscard]] std::string explain_in_markdown(const rule& which);

/// What `list-rules` prints: a line for each.
[[nodiscard]] std::string list_rules();

}  // namespace detector
