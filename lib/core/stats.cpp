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
    const std::int64_t now = hub::now();
    found.longest_round = std::chrono::nanoseconds{hub_.longest_round(now)};
    found.fibers_ran = std::chrono::nanoseconds{hub_.fibers_ran() + hub_.current_round(now)};
    found.long_rounds = hub_.long_rounds();
    for (std::size_t i = 0; status_.blocked != nullptr && i < found.blocked_by_class.size(); ++i) {
        found.blocked_by_class[i] = {
            .count = status_.blocked[i].count.load(std::memory_order_relaxed),
            .total = std::chrono::nanoseconds{status_.blocked[i].nanoseconds.load(std::memory_order_relaxed)}};
    }
    return found;
}

}  // namespace coir::detail
