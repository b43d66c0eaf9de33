#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/task_group.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coir {

/// Who came first, and with what.
template <class T> struct first_result {
    std::size_t index;  // from 0, in the order of the arguments
    T value;
};

namespace detail {

/// What calling an `F` gives; `std::monostate` for nothing.
template <class F>
using gathered = std::conditional_t<std::is_void_v<std::invoke_result_t<F>>, std::monostate, std::invoke_result_t<F>>;

[[noreturn]] void throw_no_result();

/// A place for what a fiber gives, which may come to nothing.
template <class R> struct gather_slot : result_slot<R> {
    template <class F> void fill_from(F&& work) {
        if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
            std::invoke(std::forward<F>(work));
            this->value.emplace();
        } else if constexpr (std::is_reference_v<R>) {
            this->value = std::addressof(std::invoke(std::forward<F>(work)));
        } else {
            this->value.emplace(std::invoke(std::forward<F>(work)));
        }
    }

    R take() {
        if (!this->value) throw_no_result();
        return result_slot<R>::take();
    }
};

// Inlined down to the spawn, so that its place in reports is the user's call.
template <std::size_t... I, class... F>
[[gnu::always_inline]] inline std::tuple<gathered<F>...> gather_each(std::index_sequence<I...>, F&&... work) {
    std::tuple<gather_slot<gathered<F>>...> slots;
    group_core group;
    (spawn_member(group, {}, 0,
                  [&slot = std::get<I>(slots), &work]() mutable { slot.fill_from(std::forward<F>(work)); }),
     ...);
    group.join("gather");
    group.rethrow_failures();
    return std::tuple<gathered<F>...>{std::get<I>(slots).take()...};
}

/// One type for values of these types: theirs, or a variant with an alternative for each.
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
                      if (group.is_stopping()) return;  // another one came first, or failed
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

/// Runs each of `work` in a fiber of its own and waits for all. Their results in order: a tuple, `std::monostate` for a
/// function that returns nothing. When one fails the others are stopped, and once all have ended its exception is
/// thrown; an `exception_group` of all when others have failed as well, on their own or while they were being stopped.
/// The functions are used where they are, not copied.
///
/// Stopped or expired itself it stops them all, waits until they have ended, and throws `cancelled` or `scope_expired`.
/// `fiber_stopped` when one let `cancelled` pass and none failed. For a limit in time: `with_timeout`.
///
/// @code
/// auto [number, text, nothing] = coir::gather([] { return 6 * 7; }, [] { return std::string{"six"}; }, [] {});
/// if (number != 42 || text != "six") throw std::logic_error{"gather"};
/// @endcode
template <class... F>
requires(std::invocable<F>&&...) [[gnu::always_inline]] inline std::tuple<detail::gathered<F>...> gather(F&&... work) {
    return detail::gather_each(std::index_sequence_for<F...>{}, std::forward<F>(work)...);
}

/// As above for as many as the range has: their results are a vector. Throws `timed_out` besides.
///
/// @code
/// std::vector<std::function<int()>> work{[] { return 1; }, [] { return 2; }};
/// if (coir::gather(work) != std::vector{1, 2}) throw std::logic_error{"gather"};
/// @endcode
template <std::ranges::forward_range Range>
requires std::invocable<std::ranges::range_reference_t<Range>>
[[gnu::always_inline]] inline auto gather(Range&& range, deadline until = never) {
    using work = std::ranges::range_reference_t<Range>;
    using result = std::remove_cvref_t<detail::gathered<work>>;
    std::vector<detail::gather_slot<result>> slots(static_cast<std::size_t>(std::ranges::distance(range)));
    std::vector<result> results;
    results.reserve(slots.size());
    {
        detail::group_core group;
        auto slot = slots.begin();
        for (auto&& each : range) {
            if constexpr (std::is_lvalue_reference_v<work>) {
                detail::spawn_member(group, {}, 0, [&into = *slot, &each] { into.fill_from(each); });
            } else {  // the range makes its elements as it goes
                detail::spawn_member(
                    group, {}, 0, [&into = *slot, own = std::move(each)]() mutable { into.fill_from(std::move(own)); });
            }
            ++slot;
        }
        group.join("gather", until);
        group.rethrow_failures();
    }
    for (auto& slot : slots) results.push_back(slot.take());
    return results;
}

/// Runs each of `work` in a fiber of its own until the first has finished: its result, after the others were stopped
/// and have ended. The value is a variant with an alternative for each where their types differ; `std::monostate` for
/// nothing. When the first to finish fails, that alone is thrown. Otherwise as `gather`; what the others throw while
/// they are being stopped is reported as that of fibers nobody asked (`on_unhandled_exception`).
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
