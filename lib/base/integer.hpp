#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace coir::detail {

/// The decimal number that is the whole text; empty if it is none or does not fit.
template <class Integer> std::optional<Integer> parse_integer(std::string_view text) noexcept {
    Integer value{};
    const char* const last = text.data() + text.size();
    const auto [end, failure] = std::from_chars(text.data(), last, value);
    return failure == std::errc{} && end == last ? std::optional{value} : std::nullopt;
}

}  // namespace coir::detail
