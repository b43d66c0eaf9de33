#pragma once

#include <coir/detail/base/list.hpp>

#include "core/task/task.hpp"

#include <unordered_set>
#include <vector>

namespace coir::detail {

/// Who waits for whom, among the tasks that are alive at one moment. Who holds what is known by an address alone, and
/// may have ended while holding it: it is looked up among them before it is followed. (A new one that has got the same
/// memory is taken for it.)
class wait_graph {
public:
    explicit wait_graph(const list<task>& alive);

    /// Whether it waits, and one task alone can end its wait.
    [[nodiscard]] static bool waits_for_one(const task& who) noexcept;

    /// That one task, of a task that waits for one; nullptr when it has ended, and so never will.
    [[nodiscard]] const task* holder(const task& who) const;

    /// Each cycle of tasks that wait for the next, and the last one for the first, which was spawned first.
    [[nodiscard]] std::vector<std::vector<const task*>> cycles() const;

private:
    std::vector<const task*> alive_;  // in the order of spawning
    std::unordered_set<const task*> addresses_;
};

}  // namespace coir::detail
