#include "cli/option_values.hpp"

#include "cli/exit_codes.hpp"
#include "detect/calls/classes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

namespace detector {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 9> formats{"text",   "json",   "jsonl", "sarif", "junit",
                                                  "github", "gitlab", "html",  "folded"};

/// The items of a list separated by commas.
std::vector<std::string> items_of(const std::string& list) {
    std::vector<std::string> items;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(',', at), list.size());
        items.push_back(list.substr(at, end - at));
        at = end + 1;
    }
    return items;
}

}  // namespace

bool failing_kinds::contain(coir::blocking_kind kind) const noexcept {
    switch (kind) {
    case coir::blocking_kind::blocked: return blocked;
    case coir::blocking_kind::hog: return hog;
    case coir::blocking_kind::latent: return latent;
    }
    return false;
}

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

failing_kinds failing_kinds_in(const std::string& list) {
    if (list == "none") return {false, false, false};
    failing_kinds made{false, false, false};
    for (const std::string& each : items_of(list)) {
        if (each == "blocked")
            made.blocked = true;
        else if (each == "hog")
            made.hog = true;
        else if (each == "latent")
            made.latent = true;
        else
            throw usage_error{"'" + each + "' is not a kind of finding; allowed: blocked, hog, latent, none"};
    }
    return made;
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
