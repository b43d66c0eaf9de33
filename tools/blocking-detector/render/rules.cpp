#include "render/rules.hpp"

#include "detect/calls/classes.hpp"
#include "render/rule_texts.hpp"

#include <algorithm>
#include <cctype>

namespace detector {

namespace {

constexpr std::size_t line_width = 80;

constexpr std::string_view if_it_is_meant =
    "If the blocking is intended: write `coir::allow_blocking permit{\"why\"};` in the scope, or add a rule to a "
    "suppressions file.";

bool same_but_for_case(std::string_view one, std::string_view other) noexcept {
    return std::ranges::equal(one, other,
                              [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

/// Breaks a text into lines of at most `line_width` characters.
std::string wrapped(std::string_view text) {
    std::string lines;
    while (text.size() > line_width) {
        const std::size_t end = text.rfind(' ', line_width);
        if (end == text.npos) break;
        lines.append(text.substr(0, end)).append("\n");
        text.remove_prefix(end + 1);
    }
    return lines.append(text).append("\n");
}

std::string indented(std::string_view code) {
    std::string lines;
    while (!code.empty()) {
        const std::size_t end = std::min(code.find('\n'), code.size() - 1);
        if (end > 0) lines += "    ";
        lines.append(code.substr(0, end + 1));
        code.remove_prefix(end + 1);
    }
    return lines;
}

std::string padded(std::string_view text, std::size_t width) {
    return std::string{text}.append(width - std::min(width, text.size()), ' ');
}

}  // namespace

std::span<const rule> all_rules() noexcept { return rule_texts; }

const rule& rule_for(coir::blocking_class category) noexcept {
    return *std::ranges::find(rule_texts, category, &rule::category);
}

std::size_t index_of(const rule& which) noexcept { return static_cast<std::size_t>(&which - rule_texts.data()); }

const rule* rule_named(std::string_view name) noexcept {
    const auto found = std::ranges::find_if(rule_texts, [&](const rule& each) {
        return same_but_for_case(name, each.id) || same_but_for_case(name, each.name) ||
               same_but_for_case(name, coir::detail::to_string(each.category));
    });
    return found == rule_texts.end() ? nullptr : &*found;
}

std::string explain(const rule& which) {
    std::string text = std::string{which.id} + ' ' + std::string{which.name} + ": " + std::string{which.title} + "\n\n";
    text += wrapped(which.meaning) + '\n' + wrapped(which.harm) + '\n' + wrapped(which.remedy);
    return text + "\nBefore:\n\n" + indented(which.before) + "\nAfter:\n\n" + indented(which.after) + '\n' +
           wrapped(if_it_is_meant);
}

std::string explain_in_markdown(const rule& which) {
    std::string text;
    for (const std::string_view paragraph : {which.meaning, which.harm, which.remedy})
        text.append(paragraph).append("\n\n");
    text.append("Before:\n\n```cpp\n").append(which.before).append("```\n\n");
    text.append("After:\n\n```cpp\n").append(which.after).append("```\n\n");
    return text.append(if_it_is_meant).append("\n");
}

std::string list_rules() {
    std::string text;
    for (const rule& each : rule_texts) {
        text += padded(each.id, 7) + padded(each.name, 17) + padded(coir::detail::to_string(each.category), 9);
        text.append(each.title).append("\n");
    }
    return text;
}

}  // namespace detector
