#pragma once

/// @file Layer sync.

#include <coir/deadline.hpp>
#include <coir/gather.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/task_group.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coir {

namespace detail {

/// How an element of a range is held while other elements are taken: by reference, or by value if the range creates its
/// elements on access or can be read only once.
template <std::ranges::input_range Range>
using taken_element = std::conditional_t<std::ranges::forward_range<Range> &&
                                             std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>>,
                                         std::ranges::range_reference_t<Range>, std::ranges::range_value_t<Range>>;

/// Several workers share a range: each free worker takes the next element. Holds a slot for each result.
template <class Range, class F> class concurrent_mapping {
public:
    using element = taken_element<Range>;
    using returned = std::invoke_result_t<F&, element>;
    using result = std::conditional_t<std::is_void_v<returned>, std::monostate, std::remove_cvref_t<returned>>;

    /// For at most `workers_max` workers. The creator of this object spawns `workers_spawned` of them.
    concurrent_mapping(Range& range, F& f, std::size_t workers_max, std::size_t workers_spawned)
        : range_{range}, f_{f}, workers_left_{workers_max - workers_spawned}, at_end_{workers_spawned == 0} {}

    [[nodiscard]] group_core& workers() noexcept { return workers_; }

    /// The body of a worker.
    void work() {
        while (!workers_.is_stopping()) {
            std::unique_lock lock{range_mutex_};
            // A stop may have arrived during the wait for the mutex, which was acquired nevertheless.
            if (workers_.is_stopping() || !advance()) return;
            element taken = take();
            gather_slot<result>& slot = slots_.emplace_back();
            lock.unlock();
            spawn_another();
            slot.fill_from([&]() -> decltype(auto) { return std::invoke(f_, std::forward<element>(taken)); });
        }
    }

    /// Throws `fiber_stopped` if a result is missing.
    std::vector<result> take_results() {
        if (!at_end_) throw_no_result();
        std::vector<result> results;
        results.reserve(slots_.size());
        for (auto& slot : slots_) results.push_back(slot.take());
        return results;
    }

private:
    /// If the number of elements is unknown, each worker that finds an element spawns another worker, up to the limit.
    void spawn_another() {
        if (workers_left_ == 0) return;
        --workers_left_;
        spawn_member(workers_, {}, 0, [this] { work(); });
    }

    /// Moves to the next element. Called only when that is needed, because an input range may suspend.
    bool advance() {
        if (at_end_) return false;
        if (position_)
            ++*position_;
        else
            position_.emplace(std::ranges::begin(range_));
        at_end_ = *position_ == std::ranges::end(range_);
        return !at_end_;
    }

    element take() {
        using reference = std::ranges::range_reference_t<Range>;
        if constexpr (std::is_reference_v<element> || std::constructible_from<element, reference>)
            return static_cast<element>(**position_);
        else
            return std::ranges::iter_move(*position_);
    }

    Range& range_;
    F& f_;
    mutex range_mutex_;  // a range may suspend while it is advanced
    std::optional<std::ranges::iterator_t<Range>> position_;
    std::size_t workers_left_;  // workers that may still be spawned
    bool at_end_;
    std::deque<gather_slot<result>> slots_;  // a deque keeps their addresses
    group_core workers_;                     // last, because its fibers use the other members
};

/// Whether the number of elements is known in advance. The size of a range that can be read only once, such as a
/// channel, may be the number of elements that are available so far.
template <class Range>
inline constexpr bool has_known_size = std::ranges::sized_range<Range>&& std::ranges::forward_range<Range>;

}  // namespace detail

/// Applies `f` to each element of the range, in at most `most.at_once` fibers at the same time, and waits for all.
/// Returns the results as a vector in the order of the range, or nothing if `f` returns nothing. Elements are taken one
/// by one as fibers become free: a lazy range is not read further ahead, and may suspend, as a channel does. Elements
/// are used in place, not copied. If the range creates its elements on access or can be read only once, `f` gets its
/// own element.
///
/// Otherwise as `gather`, also in what it throws. When one call fails, no more elements are taken and the other fibers
/// are stopped. Throws `timed_out` if `until` has passed.
///
/// @code
/// const std::vector<std::string> words{"one", "three", "five"};
/// const auto lengths = coir::map_concurrent(words, coir::limit{2}, [](const std::string& word) {
///     coir::this_fiber::yield();  // a request to a server, say
///     return word.size();
/// });
/// if (lengths != std::vector<std::size_t>{3, 5, 4}) throw std::logic_error{"lengths"};
/// @endcode
template <std::ranges::input_range Range, class F>
requires std::invocable<F&, detail::taken_element<Range>>
[[gnu::always_inline]] inline auto map_concurrent(Range&& range, limit most, F&& f, deadline until = never) {
    using mapping = detail::concurrent_mapping<std::remove_reference_t<Range>, std::remove_reference_t<F>>;
    std::size_t workers = 1;
    if constexpr (detail::has_known_size<std::remove_reference_t<Range>>) {
        most.at_once = workers = std::min(most.at_once, static_cast<std::size_t>(std::ranges::size(range)));
    }
    mapping shared{range, f, most.at_once, workers};
    for (std::size_t n = workers; n > 0; --n) {
        detail::spawn_member(shared.workers(), {}, 0, [&shared] { shared.work(); });
    }
    shared.workers().join("map_concurrent", until);
    shared.workers().rethrow_failures();
    auto results = shared.take_results();
    if constexpr (!std::is_void_v<typename mapping::returned>) return results;
}

}  // namespace coir
