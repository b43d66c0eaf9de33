#include "detect/finding/suppressions.hpp"

#include "base/read_file.hpp"
#include "detect/calls/classes.hpp"
#include "detect/calls/known_calls.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace coir::detail {

namespace {

std::string_view trim(std::string_view text) {
    constexpr std::string_view blank = " \t\r";
    const std::size_t first = text.find_first_not_of(blank);
    return first == text.npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// A pattern matches any part of the text. `^` binds it to the start, `$` to the end.
std::string to_glob(std::string_view pattern) {
    const bool from_start = pattern.starts_with('^');
    if (from_start) pattern.remove_prefix(1);
    const bool to_end = pattern.ends_with('$');
    if (to_end) pattern.remove_suffix(1);
    return (from_start ? "" : "*") + std::string{pattern} + (to_end ? "" : "*");
}

using subject = suppressions::subject;

suppressions::condition parse_condition(std::string_view text) {
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
        if (pattern.empty()) throw std::invalid_argument{"'" + std::string{text} + "' has no pattern"};
        if (about == subject::category && !class_named(pattern)) {
            throw std::invalid_argument{"'" + std::string{pattern} + "' is not a class; the classes are " +
                                        names_of_all_classes()};
        }
        return {about, about == subject::category ? std::string{pattern} : to_glob(pattern)};
    }
    throw std::invalid_argument{"'" + std::string{text} +
                                "' is not a rule; a rule begins with call-stack-contains:, function-name-matches:, "
                                "called-from-lib:, src:, class: or fiber:"};
}

/// Parses a date such as "2026-12-31".
std::chrono::sys_days parse_date(std::string_view text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    const auto number = [&](std::size_t from, std::size_t length, auto& into) {
        const char* const begin = text.data() + from;
        return std::from_chars(begin, begin + length, into).ptr == begin + length;
    };
    const bool is_read = text.size() == 10 && text[4] == '-' && text[7] == '-' && number(0, 4, year) &&
                         number(5, 2, month) && number(8, 2, day);
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
    if (!is_read || !date.ok()) {
        throw std::invalid_argument{"until=" + std::string{text} + " is not a date; write it as until=2026-12-31"};
    }
    return date;
}

/// Parses ` until=DATE` and ` reason=TEXT` at the end of a line. Returns the line without them.
std::string_view parse_options(std::string_view line, suppressions::rule& into) {
    constexpr std::string_view until = " until=";
    constexpr std::string_view reason = " reason=";
    const auto first_option = [&](std::size_t from) {
        return std::min({line.find(until, from), line.find(reason, from), line.size()});
    };
    const std::size_t end = first_option(0);
    for (std::size_t at = end; at < line.size();) {
        const std::size_t next = first_option(at + 1);
        const std::string_view option = line.substr(at, next - at);
        if (option.starts_with(until))
            into.until = parse_date(trim(option.substr(until.size())));
        else
            into.reason = trim(option.substr(reason.size()));
        at = next;
    }
    return trim(line.substr(0, end));
}

suppressions::rule parse_rule(std::string_view line) {
    constexpr std::string_view both = " && ";
    suppressions::rule made;
    std::string_view rest = parse_options(line, made);
    made.text = rest;
    for (std::size_t end = rest.find(both); end != rest.npos; end = rest.find(both)) {
        made.conditions.push_back(parse_condition(trim(rest.substr(0, end))));
        rest.remove_prefix(end + both.size());
    }
    made.conditions.push_back(parse_condition(trim(rest)));
    return made;
}

std::string_view file_name_of(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1); }

/// A call has several names in the C library: `usleep` matches what is reported as `nanosleep`.
bool is_named(const std::string& glob, const std::string& call) {
    bool matches = glob_matches(glob, call);
    const known_call& known = call_named(call);
    if (!known.name.empty()) for_each_name(known, [&](std::string_view name) { matches |= glob_matches(glob, name); });
    return matches;
}

bool holds(const suppressions::condition& each, const finding& what) {
    const auto any_frame = [&](auto part) {
        return std::ranges::any_of(what.stack, [&](const frame& here) {
            const std::string_view text = part(here);
            return !text.empty() && glob_matches(each.glob, text);
        });
    };
    switch (each.about) {
    case subject::call_stack: return any_frame([](const frame& here) -> std::string_view { return here.function; });
    case subject::function_name: return is_named(each.glob, what.call);
    case subject::library: return any_frame([](const frame& here) { return file_name_of(here.module); });
    case subject::source: return any_frame([](const frame& here) -> std::string_view { return here.file; });
    case subject::category: return each.glob == to_string(what.category);
    case subject::fiber: return glob_matches(each.glob, what.fiber);
    }
    return false;
}

}  // namespace

bool suppressions::rule::is_over() const noexcept {
    return until && std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()) > *until;
}

void suppressions::add_file(const std::string& path) {
    add(read_file(path, "suppressions for the blocking detector"), path);
}

void suppressions::add(std::string_view text, const std::string& name) {
    for (int number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#')) continue;
        const std::string location = name + ':' + std::to_string(number);
        try {
            rules_.push_back(parse_rule(line));
            rules_.back().location = location;
        } catch (const std::invalid_argument& what) {
            throw std::invalid_argument{location + ": " + what.what()};
        }
    }
}

const suppressions::rule* suppressions::match(const finding& what) const {
    const auto found = std::ranges::find_if(rules_, [&](const rule& each) {
        return !each.is_over() &&
               std::ranges::all_of(each.conditions, [&](const condition& one) { return holds(one, what); });
    });
    return found == rules_.end() ? nullptr : &*found;
}

bool glob_matches(std::string_view glob, std::string_view text) noexcept {
    std::size_t at = 0;
    std::size_t in = 0;
    std::size_t star = glob.npos;  // index in `glob` of the last `*`
    std::size_t taken = 0;         // end of the text that this `*` matches so far
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
