#pragma once

#include <coir/detail/base/list.hpp>

#include "core/task/task.hpp"

#include <unordered_set>
#include <vector>

namespace coir::detail {

/// The graph of tasks that wait for each other, among the tasks that are alive at one moment. A holder is known only by
/// its address, and may have ended without releasing what it held. Therefore the address is looked up among the tasks
/// that are alive before it is dereferenced. (A new task at the same address is mistaken for the holder.)
class wait_graph {
public:
    explicit wait_graph(const list<task>& alive);

    /// Whether the task waits for something that exactly one other task can provide.
    [[nodiscard]] static bool waits_for_one(const task& fiber) noexcept;

    /// That other task; nullptr if it has ended, so that the wait can never end. Requires `waits_for_one(fiber)`.
    [[nodiscard]] const task* holder(const task& fiber) const;

    /// All cycles. In each, a task waits for the next one and the last task for the first. The first is the task that
    /// was spawned first.
    [[nodiscard]] std::vector<std::vector<const task*>> cycles() const;

private:
    std::vector<const task*> alive_;  // in the order of spawning
    std::unordered_set<const task*> addresses_;
};

}  // namespace coir::detail
