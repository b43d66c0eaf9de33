#include <coir/stats.hpp>

#include "core/scheduler.hpp"

namespace coir {

scheduler_stats stats() { return detail::scheduler::get("stats").stats(); }

}  // namespace coir

namespace coir::detail {

scheduler_stats scheduler::stats() const noexcept {
    scheduler_stats found;
    alive_.for_each([&found](const task& each) {
        ++found.fibers_alive;
        if (each.state == task_state::parked) ++found.fibers_parked;
    });
    found.fibers_ready = ready_.count();
    found.switches = status_.slices.load(std::memory_order_relaxed);
    found.polls = hub_.polls();
    // The spare stack counts as in use in the pool, but no fiber uses it.
    const std::size_t spare = spare_.memory.sp != nullptr && spare_.pooled ? 1 : 0;
    found.stacks_in_use = stacks_.in_use() - spare;
    found.stacks_pooled = stacks_.pooled() + spare;
    found.longest_round = std::chrono::nanoseconds{hub_.longest_round(hub::now())};
    return found;
}

}  // namespace coir::detail
