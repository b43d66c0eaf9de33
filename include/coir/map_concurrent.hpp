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

/// How a range's element is held while others are taken: where it lies, or, of a range that makes its elements or can
/// be read only once, itself.
template <std::ranges::input_range Range>
using taken_element = std::conditional_t<std::ranges::forward_range<Range> &&
                                             std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>>,
                                         std::ranges::range_reference_t<Range>, std::ranges::range_value_t<Range>>;

/// A range whose elements are taken by several workers, each the next one that is left, and a slot for each result.
template <class Range, class F> class concurrent_mapping {
public:
    using element = taken_element<Range>;
    using returned = std::invoke_result_t<F&, element>;
    using result = std::conditional_t<std::is_void_v<returned>, std::monostate, std::remove_cvref_t<returned>>;

    /// For so many workers at most, of which `begun` are made by whoever makes this.
    concurrent_mapping(Range& range, F& f, std::size_t most, std::size_t begun)
        : range_{range}, f_{f}, unmade_{most - begun}, at_end_{begun == 0} {}

    [[nodiscard]] group_core& workers() noexcept { return workers_; }

    /// What a worker does.
    void work() {
        while (!workers_.is_stopping()) {
            std::unique_lock turn{turn_};
            // It may have been told to stop while it waited for its turn, which it has now all the same.
            if (workers_.is_stopping() || !advance()) return;
            element taken = take();
            gather_slot<result>& slot = slots_.emplace_back();
            turn.unlock();
            spawn_another();
            slot.fill_from([&]() -> decltype(auto) { return std::invoke(f_, std::forward<element>(taken)); });
        }
    }

    /// Throws `fiber_stopped` when one is missing.
    std::vector<result> take_results() {
        if (!at_end_) throw_no_result();
        std::vector<result> results;
        results.reserve(slots_.size());
        for (auto& slot : slots_) results.push_back(slot.take());
        return results;
    }

private:
    /// Where it is not known how many elements there are, there are as many workers as have found work, and one more.
    void spawn_another() {
        if (unmade_ == 0) return;
        --unmade_;
        spawn_member(workers_, {}, 0, [this] { work(); });
    }

    /// To the next element. Only when it is wanted: of an input range, it may have to be waited for.
    bool advance() {
        if (at_end_) return false;
        if (at_)
            ++*at_;
        else
            at_.emplace(std::ranges::begin(range_));
        at_end_ = *at_ == std::ranges::end(range_);
        return !at_end_;
    }

    element take() {
        using reference = std::ranges::range_reference_t<Range>;
        if constexpr (std::is_reference_v<element> || std::constructible_from<element, reference>)
            return static_cast<element>(**at_);
        else
            return std::ranges::iter_move(*at_);
    }

    Range& range_;
    F& f_;
    mutex turn_;  // to take: a range may suspend while it is advanced
    std::optional<std::ranges::iterator_t<Range>> at_;
    std::size_t unmade_;
    bool at_end_;
    std::deque<gather_slot<result>> slots_;  // which stay where they are
    group_core workers_;                     // last, since its fibers use the others
};

/// Whether it is known how many elements there are. The size of a range that can be read only once, as a channel, may
/// be what is there so far.
template <class Range>
inline constexpr bool has_known_size = std::ranges::sized_range<Range>&& std::ranges::forward_range<Range>;

}  // namespace detail

/// Applies `f` to each element of the range, in at most so many fibers at once, and waits for all. The results are a
/// vector in the order of the range; there are none where `f` returns nothing. The elements are taken one by one as
/// fibers become free: a lazy range is read no further ahead, and may suspend, as a channel does. They are used where
/// they are; those of a range that makes them, or can be read only once, are `f`'s own.
///
/// Otherwise as `gather`, also in what it throws: when one fails no more are taken and the others are stopped.
/// `timed_out` when `until` has passed.
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
    std::size_t begun = 1;
    if constexpr (detail::has_known_size<std::remove_reference_t<Range>>) {
        most.at_once = begun = std::min(most.at_once, static_cast<std::size_t>(std::ranges::size(range)));
    }
    mapping shared{range, f, most.at_once, begun};
    for (std::size_t n = begun; n > 0; --n) {
        detail::spawn_member(shared.workers(), {}, 0, [&shared] { shared.work(); });
    }
    shared.workers().join("map_concurrent", until);
    shared.workers().rethrow_failures();
    auto results = shared.take_results();
    if constexpr (!std::is_void_v<typename mapping::returned>) return results;
}

}  // namespace coir
