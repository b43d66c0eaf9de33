#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/task_group.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coir {

namespace detail {

/// The result type of an `F`; `std::monostate` if it returns nothing.
template <class F>
using gathered = std::conditional_t<std::is_void_v<std::invoke_result_t<F>>, std::monostate, std::invoke_result_t<F>>;

[[noreturn]] void throw_no_result();

/// Storage for the result of a fiber. It stays empty if the fiber ends without a result.
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

// Inlined down to the spawn, so that reports show the user's call as the spawn site.
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

}  // namespace detail

/// Runs each of `work` in a fiber of its own and waits for all. Returns their results as a tuple, in the order of the
/// arguments; `std::monostate` for a function that returns nothing. The functions are called in place, not copied. When
/// one fiber fails, the others are stopped. Once all have ended, its exception is thrown; if others failed as well, on
/// their own or while they were being stopped, an `exception_group` of all failures is thrown.
///
/// If the calling fiber is stopped or its scope expires, all fibers are stopped and waited for; then `cancelled` or
/// `scope_expired` is thrown. Throws `fiber_stopped` if `cancelled` ended a fiber and no fiber failed. For a time
/// limit, use `with_timeout`.
///
/// @code
/// auto [number, text, nothing] = coir::gather([] { return 6 * 7; }, [] { return std::string{"six"}; }, [] {});
/// if (number != 42 || text != "six") throw std::logic_error{"gather"};
/// @endcode
template <class... F>
requires(std::invocable<F>&&...) [[gnu::always_inline]] inline std::tuple<detail::gathered<F>...> gather(F&&... work) {
    return detail::gather_each(std::index_sequence_for<F...>{}, std::forward<F>(work)...);
}

/// As above, for all functions of a range. Returns their results as a vector, in the order of the range. Throws also
/// `timed_out` if `until` has passed; by then all fibers have been stopped and have ended.
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
            } else {  // the range creates its elements on access, so the fiber owns this one
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

}  // namespace coir
