#pragma once

#include <coir/blocking.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coir::detail {

/// What decides the level of a finding. None depends on how fast the machine or the peer was, except `once_long`.
enum class level_rule : std::uint8_t {
    by_call,      // the rule of the call in the table of known calls
    always,       // an error, whether the call slept or not
    once_asleep,  // an error if it slept at all, else a warning
    once_long,    // an error if it slept for long (level.hpp), else a warning
    warning,
    note,
};

/// A call that may hold its thread.
struct known_call {
    std::string_view name;        // for reports: the same under every engine
    std::string_view functions;   // of the C library with this meaning, besides `name`; separated by spaces
    std::array<long, 4> numbers;  // system calls; -1: none
    blocking_class category;      // the most frequent one: it may depend on the descriptor
    level_rule rule = level_rule::once_long;
    std::string_view remedy{};  // empty: that of the class
};

[[nodiscard]] std::span<const known_call> all_calls() noexcept;

/// Whether the call is a function whose name describes the wait better than the system calls inside it do.
[[nodiscard]] bool is_telling_function(const known_call& call) noexcept;

/// Calls `use` with each name of the call.
template <class Use> void for_each_name(const known_call& call, Use use) {
    use(call.name);
    for (std::string_view words = call.functions; !words.empty();) {
        const std::size_t end = std::min(words.find(' '), words.size());
        use(words.substr(0, end));
        words.remove_prefix(std::min(end + 1, words.size()));
    }
}

/// Finds the call by its own name or by that of one of its functions. An unknown one has an empty name, the class
/// `other` and no number.
[[nodiscard]] const known_call& call_named(std::string_view function) noexcept;

/// Finds the call by the number of its system call on this processor.
[[nodiscard]] const known_call& call_numbered(long number) noexcept;

/// The level of a call that was judged by `rule`. Safe in signal handlers.
[[nodiscard]] blocking_level level_of_call(std::string_view call, level_rule rule, bool slept, bool for_long) noexcept;

/// The function of coir to use in a fiber instead of the call: "use coir::this_fiber::sleep_for".
[[nodiscard]] std::string_view remedy_for(blocking_class category, std::string_view call) noexcept;

}  // namespace coir::detail
