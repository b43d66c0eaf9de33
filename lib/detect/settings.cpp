#include "detect/settings.hpp"

#include "base/integer.hpp"
#include "detect/calls/classes.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace coir::detail {

namespace {

template <class T, std::size_t N> using choices = std::array<std::pair<std::string_view, T>, N>;

constexpr choices<blocking_policy, 4> policies{{{"off", blocking_policy::off},
                                                {"warn", blocking_policy::warn},
                                                {"fail", blocking_policy::fail},
                                                {"abort", blocking_policy::abort}}};

constexpr choices<blocking_engine, 4> engines{{{"automatic", blocking_engine::automatic},
                                               {"watch", blocking_engine::watch},
                                               {"hooks", blocking_engine::hooks},
                                               {"trap", blocking_engine::trap}}};

/// The value of an environment variable; empty if it is not set or set to an empty text.
std::optional<std::string_view> variable(const char* name) {
    const char* const value = ::secure_getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
}

[[noreturn]] void refuse(const char* name, std::string_view value, const std::string& allowed) {
    throw std::invalid_argument{std::string{name} + ": invalid value '" + std::string{value} +
                                "'; allowed: " + allowed};
}

template <class T, std::size_t N> void choose(const char* name, const choices<T, N>& from, T& chosen) {
    const std::optional<std::string_view> value = variable(name);
    if (!value) return;
    std::string allowed;
    for (const auto& [each, meaning] : from) {
        if (each == *value) {
            chosen = meaning;
            return;
        }
        allowed.append(allowed.empty() ? "" : ", ").append(each);
    }
    refuse(name, *value, allowed);
}

void read_milliseconds(const char* name, std::chrono::milliseconds& into) {
    const std::optional<std::string_view> value = variable(name);
    if (!value) return;
    constexpr long most = 3'600'000;
    const auto count = parse_integer<long>(*value);
    if (!count || *count < 1 || *count > most) {
        refuse(name, *value, "a number of milliseconds from 1 to " + std::to_string(most));
    }
    into = std::chrono::milliseconds{*count};
}

void read_classes(const char* name, blocking_classes& into) {
    const std::optional<std::string_view> value = variable(name);
    if (!value) return;
    const std::optional<blocking_classes> named = classes_in(*value);
    if (!named) refuse(name, *value, "a " + form_of_class_list());
    into = *named;
}

}  // namespace

settings read_settings(const blocking_options& requested) {
    settings read{.options = requested};
    blocking_options& options = read.options;
    choose("COIR_BLOCKING", policies, options.policy);
    choose("COIR_BLOCKING_ENGINE", engines, options.engine);
    read_milliseconds("COIR_BLOCKING_STALL_MS", options.stall_threshold);
    read_classes("COIR_BLOCKING_CLASSES", options.classes);
    if (const auto path = variable("COIR_BLOCKING_SUPPRESSIONS")) options.suppressions = *path;
    if (const auto path = variable("COIR_BLOCKING_REPORT")) read.report_path = *path;
    if (const auto path = variable("COIR_BLOCKING_RECORDS")) read.records_folder = *path;
    if (options.stall_threshold < std::chrono::milliseconds{1}) {
        throw std::invalid_argument{"blocking_options::stall_threshold: must be at least one millisecond"};
    }
    // Multiples of it are compared with nanoseconds; `milliseconds::max()` would overflow.
    constexpr std::chrono::milliseconds longest = std::chrono::hours{24 * 365};
    options.stall_threshold = std::min(options.stall_threshold, longest);
    if (options.engine == blocking_engine::automatic) options.engine = blocking_engine::hooks;
    return read;
}

}  // namespace coir::detail
