#include "detect/suppressions.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "detect/classes.hpp"

namespace coir::detail {

namespace {

std::string_view trim(std::string_view text) {
    constexpr std::string_view blank = " \t\r";
    const std::size_t first = text.find_first_not_of(blank);
    return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// A pattern matches anywhere, unless `^` or `$` bind it.
std::string to_glob(std::string_view pattern) {
    const bool from_start = pattern.starts_with('^');
    if (from_start) pattern.remove_prefix(1);
    const bool to_end = pattern.ends_with('$');
    if (to_end) pattern.remove_suffix(1);
    return (from_start ? "" : "*") + std::string{pattern} + (to_end ? "" : "*");
}

}  // namespace

suppressions::suppressions(const std::string& path) {
    std::ifstream file{path};
    if (!file)
        throw std::system_error{errno, std::generic_category(), "suppressions for the blocking detector: " + path};
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        std::string_view rest = trim(line);
        if (rest.empty() || rest.starts_with('#')) continue;
        rule made;
        try {
            constexpr std::string_view both = " && ";
            for (std::size_t end = rest.find(both); end != rest.npos; end = rest.find(both)) {
                made.push_back(parse(trim(rest.substr(0, end))));
                rest.remove_prefix(end + both.size());
            }
            made.push_back(parse(trim(rest)));
        } catch (const std::invalid_argument& what) {
            throw std::invalid_argument{path + ':' + std::to_string(number) + ": " + what.what()};
        }
        rules_.push_back(std::move(made));
    }
}

bool suppressions::match(const blocking_report& report) const {
    return std::ranges::any_of(rules_, [&](const rule& each) {
        return std::ranges::all_of(each, [&](const condition& one) { return holds(one, report); });
    });
}

suppressions::condition suppressions::parse(std::string_view text) {
    static constexpr std::pair<std::string_view, subject> subjects[]{
        {"call-stack-contains", subject::call_stack},
        {"function-name-matches", subject::function_name},
        {"called-from-lib", subject::library},
        {"src", subject::source},
        {"class", subject::category},
        {"fiber", subject::fiber},
    };
    const std::size_t colon = text.find(':');
    for (const auto& [name, about] : subjects) {
        if (colon == text.npos || text.substr(0, colon) != name) continue;
        const std::string_view pattern = trim(text.substr(colon + 1));
        if (about == subject::category && !class_named(pattern)) {
            throw std::invalid_argument{"'" + std::string{pattern} + "' is none of the classes " +
                                        names_of_all_classes()};
        }
        return {about, about == subject::category ? std::string{pattern} : to_glob(pattern)};
    }
    throw std::invalid_argument{"'" + std::string{text} +
                                "' is no rule: it begins with call-stack-contains:, function-name-matches:, "
                                "called-from-lib:, src:, class: or fiber:"};
}

bool suppressions::holds(const condition& each, const blocking_report& report) {
    const auto any_frame = [&](const std::string stack_frame::*part) {
        return std::ranges::any_of(report.stack, [&](const stack_frame& frame) {
            return !(frame.*part).empty() && glob_matches(each.glob, frame.*part);
        });
    };
    switch (each.about) {
    case subject::call_stack: return any_frame(&stack_frame::function);
    case subject::function_name: return glob_matches(each.glob, report.call);
    case subject::library: return any_frame(&stack_frame::module);
    case subject::source: return any_frame(&stack_frame::file);
    case subject::category: return each.glob == name_of(report.category);
    case subject::fiber: return glob_matches(each.glob, report.fiber_name);
    }
    return false;
}

bool glob_matches(std::string_view glob, std::string_view text) noexcept {
    std::size_t at = 0;
    std::size_t in = 0;
    std::size_t star = glob.npos;  // the last one seen, and how much of the text it has taken so far
    std::size_t taken = 0;
    while (at < text.size()) {
        if (in < glob.size() && glob[in] == '*') {
            star = in++;
            taken = at;
        } else if (in < glob.size() && glob[in] == text[at]) {
            ++in;
            ++at;
        } else if (star != glob.npos) {
            in = star + 1;
            at = ++taken;
        } else {
            return false;
        }
    }
    return glob.find_first_not_of('*', in) == glob.npos;
}

}  // namespace coir::detail
