#pragma once

/// @file Layer sync.

#include <coir/gather.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace coir {

/// Which function finished first, and its result.
template <class T> struct first_result {
    std::size_t index;  // zero-based, in the order of the arguments
    T value;
};

namespace detail {

/// One type that holds a value of each given type: the type itself if all are the same, otherwise a variant of all.
template <class First, class... Others> struct common_value {
    using type = std::conditional_t<(std::same_as<First, Others> && ...), First, std::variant<First, Others...>>;
};

template <std::size_t... I, class... F>
[[gnu::always_inline]] inline auto first_of_each(std::index_sequence<I...>, F&&... work) {
    using value = typename common_value<std::remove_cvref_t<gathered<F>>...>::type;
    std::optional<first_result<value>> first;
    group_core group;
    (spawn_member(group, {}, 0,
                  [&first, &group, &work] {
                      using result = std::remove_cvref_t<gathered<F>>;
                      gather_slot<result> slot;
                      slot.fill_from(std::forward<F>(work));
                      if (group.is_stopping()) return;  // another fiber finished or failed before
                      if constexpr (std::same_as<value, result>)
                          first.emplace(first_result<value>{I, slot.take()});
                      else
                          first.emplace(first_result<value>{I, value{std::in_place_index<I>, slot.take()}});
                      group.request_stop();
                  }),
     ...);
    group.join("first_of");
    if (!first) group.rethrow_first_failure();
    if (!first) throw_no_result();
    return *std::move(first);
}

}  // namespace detail

/// Runs each of `work` in a fiber of its own until the first one has finished. Then the others are stopped and waited
/// for, and the result of the first is returned. If the result types differ, the value is a variant with one
/// alternative for each function; `std::monostate` stands for no result. If the first to finish fails, only its
/// exception is thrown. What the others throw while they are being stopped goes to `on_unhandled_exception`. Otherwise
/// as `gather`.
///
/// @code
/// const auto first = coir::first_of([] { coir::this_fiber::sleep_for(1h); return 1; }, [] { return 2; });
/// if (first.index != 1 || first.value != 2) throw std::logic_error{"first_of"};
/// @endcode
template <class... F>
requires(sizeof...(F) > 0 && (std::invocable<F> && ...)) [[gnu::always_inline]] inline auto first_of(F&&... work) {
    return detail::first_of_each(std::index_sequence_for<F...>{}, std::forward<F>(work)...);
}

}  // namespace coir
