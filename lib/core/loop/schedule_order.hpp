#pragma once

#include "base/random.hpp"
#include "base/timer_queue.hpp"
#include "core/task/task.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coir::detail {

/// The order in which ready tasks run and simultaneous timers fire, as determined by a seed: the same seed gives the
/// same order. Half of the seeds draw a task at every step. The others give each task a random priority and demote the
/// running task at a few steps that are chosen in advance. This finds bugs that need a certain fiber to be late, with a
/// known probability: PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic
/// guarantees of finding bugs", ASPLOS 2010).
class schedule_order {
public:
    explicit schedule_order(std::uint64_t seed);

    /// Moves the task that runs next to the front of `ready`. Requires that `ready` is not empty.
    void choose(ready_list& ready) noexcept;

    void shuffle(std::vector<timer_node*>& simultaneous) noexcept;

private:
    void choose_by_priority(ready_list& ready) noexcept;
    [[nodiscard]] task* first_of(const ready_list& ready) const noexcept;
    [[nodiscard]] std::uint64_t priority_of(const task& fiber) const noexcept;

    const std::uint64_t seed_;
    random_numbers random_;
    std::vector<std::uint64_t> demotion_steps_;  // steps at which the chosen task is demoted; empty: draw at every step
    std::uint32_t demotions_ = 0;
    std::uint64_t step_ = 0;
    std::uint64_t oldest_ = 0;  // id of the task that has been ready for the longest time
    int passed_over_ = 0;       // steps for which `oldest_` was passed over
};

}  // namespace coir::detail
