#include "core/loop/schedule_order.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t demotions_max = 4;  // bugs that need more than four late fibers at once are rare
// The length of the program is not known: it is drawn from the powers of two from 8 to 4,096 suspensions, with equal
// probability.
constexpr std::size_t steps_log_min = 3;
constexpr std::size_t steps_log_max = 12;
// Steps for which the oldest ready task may be passed over. Without a limit it might never run, if other fibers wait for
// it in a loop of yields.
constexpr int passed_over_max = 64;

}  // namespace

schedule_order::schedule_order(std::uint64_t seed) : seed_{seed}, random_{scrambled(seed)} {
    const bool draws_each_time = random_.below(2) == 0;
    if (draws_each_time) return;
    const std::size_t steps = std::size_t{1} << (steps_log_min + random_.below(steps_log_max - steps_log_min + 1));
    const std::size_t count = 1 + random_.below(demotions_max);
    for (std::size_t i = 0; i < count; ++i) demotion_steps_.push_back(1 + random_.below(steps));
}

void schedule_order::choose(ready_list& ready) noexcept {
    if (!demotion_steps_.empty()) return choose_by_priority(ready);
    std::size_t left = random_.below(ready.count());
    ready.bring_to_front([&left](const task&) { return left-- == 0; });
}

void schedule_order::choose_by_priority(ready_list& ready) noexcept {
    ++step_;
    task* chosen = first_of(ready);
    const std::uint64_t oldest = ready.front()->id;
    passed_over_ = oldest == oldest_ ? passed_over_ + 1 : 0;
    oldest_ = oldest;
    const bool is_unfair = passed_over_ > passed_over_max && chosen->id != oldest;
    if (is_unfair || std::ranges::find(demotion_steps_, step_) != demotion_steps_.end()) {
        chosen->demotion = ++demotions_;
        chosen = first_of(ready);
    }
    ready.bring_to_front([chosen](const task& each) { return &each == chosen; });
}

task* schedule_order::first_of(const ready_list& ready) const noexcept {
    task* first = ready.front();
    ready.for_each([&](task& each) {
        if (priority_of(each) > priority_of(*first)) first = &each;
    });
    return first;
}

std::uint64_t schedule_order::priority_of(const task& fiber) const noexcept {
    // The task that was demoted last has the lowest priority.
    if (fiber.demotion != 0) return std::numeric_limits<std::uint32_t>::max() - fiber.demotion;
    return scrambled(seed_ ^ scrambled(fiber.id)) | std::uint64_t{1} << 63;
}

void schedule_order::shuffle(std::vector<timer_node*>& simultaneous) noexcept {
    for (std::size_t left = simultaneous.size(); left > 1; --left) {
        std::swap(simultaneous[left - 1], simultaneous[random_.below(left)]);
    }
}

}  // namespace coir::detail
