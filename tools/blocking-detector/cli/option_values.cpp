#include "cli/option_values.hpp"

#include "cli/exit_codes.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/level.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace detector {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 9> formats{"text",   "json",   "jsonl", "sarif", "junit",
                                                  "github", "gitlab", "html",  "folded"};

}  // namespace

std::string names_of_all_formats() {
    std::string all;
    for (const std::string_view each : formats) all.append(all.empty() ? "" : ", ").append(each);
    return all;
}

output_request output_in(const std::string& text) {
    const std::size_t colon = text.find(':');
    output_request made{text.substr(0, colon), colon == text.npos ? "" : text.substr(colon + 1)};
    if (std::ranges::find(formats, made.format) == formats.end()) {
        throw usage_error{"'" + made.format + "' is not a format; the formats are " + names_of_all_formats()};
    }
    if (colon != text.npos && made.path.empty()) throw usage_error{"'" + text + "' has no file name after the colon"};
    return made;
}

coir::blocking_level level_in(const std::string& text) {
    using enum coir::blocking_level;
    for (const auto each : {error, warning, note}) {
        if (text == coir::detail::to_string(each)) return each;
    }
    throw usage_error{"'" + text + "' is not a level; the levels are error, warning and note"};
}

std::optional<coir::blocking_level> failing_level_in(const std::string& text) {
    if (text == "none") return std::nullopt;
    for (const std::string_view old : {"blocked", "hog", "latent"}) {
        if (text.find(old) != text.npos) {
            throw usage_error{"'" + text +
                              "' names kinds of findings; name the lowest level that counts: error (the "
                              "default), warning, note, or none"};
        }
    }
    return level_in(text);
}

std::size_t count_in(const std::string& text) {
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size()) throw usage_error{"'" + text + "' is not a number"};
    return count;
}

std::chrono::nanoseconds duration_in(const std::string& text, std::chrono::nanoseconds unit) {
    static const std::map<std::string, std::chrono::nanoseconds> units{
        {"ns", 1ns}, {"us", 1us}, {"ms", 1ms}, {"s", 1s}, {"min", 1min}, {"m", 1min}, {"h", 1h}};
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string name{end, text.data() + text.size()};
    const auto named = name.empty() ? unit : units.contains(name) ? units.at(name) : 0ns;
    constexpr double most = 1e17;  // nanoseconds: three years
    const double length = number * static_cast<double>(named.count());
    if (error != std::errc{} || named == 0ns || !(length >= 0 && length <= most)) {
        throw usage_error{"'" + text + "' is not a time; write it as 20us, 1.5ms, 10s or 2min"};
    }
    return std::chrono::nanoseconds{static_cast<std::int64_t>(length)};
}

coir::blocking_classes classes_in(const std::string& list) {
    const auto named = coir::detail::classes_in(list);
    if (!named) throw usage_error{"'" + list + "' is not a " + coir::detail::form_of_class_list()};
    return *named;
}

}  // namespace detector
