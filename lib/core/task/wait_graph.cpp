#include "core/task/wait_graph.hpp"

#include "core/task/waiter.hpp"

#include <algorithm>
#include <cstddef>
#include <unordered_map>

namespace coir::detail {

wait_graph::wait_graph(const list<task>& alive) {
    alive.for_each([this](const task& each) {
        alive_.push_back(&each);
        addresses_.insert(&each);
    });
}

bool wait_graph::waits_for_one(const task& fiber) noexcept {
    if (fiber.state != task_state::parked || fiber.waits->held_by == nullptr) return false;
    const bool waits_for_several = fiber.waits->next_of_ring != nullptr;
    return !waits_for_several && *fiber.waits->held_by != nullptr;
}

const task* wait_graph::holder(const task& fiber) const {
    const task* const found = *fiber.waits->held_by;
    return addresses_.contains(found) ? found : nullptr;
}

std::vector<std::vector<const task*>> wait_graph::cycles() const {
    std::vector<std::vector<const task*>> found;
    std::unordered_map<const task*, std::size_t> seen_from;  // the walk that reached a task first
    for (std::size_t walk = 0; walk < alive_.size(); ++walk) {
        const task* at = alive_[walk];
        while (at != nullptr && seen_from.try_emplace(at, walk).second) {
            at = waits_for_one(*at) ? holder(*at) : nullptr;
        }
        if (at == nullptr || seen_from.at(at) != walk) continue;  // no cycle, or an earlier walk has been here
        std::vector<const task*>& cycle = found.emplace_back();
        const task* const entered = at;
        do {
            cycle.push_back(at);
            at = holder(*at);
        } while (at != entered);
        const auto first = std::ranges::min_element(cycle, {}, [](const task* each) { return each->id; });
        std::rotate(cycle.begin(), first, cycle.end());
    }
    return found;
}

}  // namespace coir::detail
