#pragma once

#include "base/random.hpp"
#include "base/timer_queue.hpp"
#include "core/task/task.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coir::detail {

/// In which order a seed has the ready tasks run and simultaneous timers fire: the same seed, the same order. Half of
/// the seeds draw each time; the others run by priorities and change those at few, early chosen steps, which finds with
/// a known probability what needs a certain fiber to be late: PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte, "A
/// randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
class schedule_order {
public:
    explicit schedule_order(std::uint64_t seed);

    /// Brings the task that is to run next to the front of those ready; there is one.
    void choose(ready_list& ready) noexcept;

    void shuffle(std::vector<timer_node*>& simultaneous) noexcept;

private:
    void choose_by_priority(ready_list& ready) noexcept;
    [[nodiscard]] const task* first_of(const ready_list& ready) const noexcept;
    [[nodiscard]] std::uint64_t priority_of(const task& who) const noexcept;

    const std::uint64_t seed_;
    random_numbers random_;
    std::vector<std::uint64_t> changes_;  // steps at which who would run next falls behind all others; empty: draw
    std::vector<std::uint64_t> fallen_;   // ids of those, the last one behind the others
    std::uint64_t step_ = 0;
    std::uint64_t oldest_ = 0;  // the task that has been ready for longest
    int passed_over_ = 0;       // for so many steps
};

}  // namespace coir::detail
