#include "core/loop/schedule_order.hpp"

#include <algorithm>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t changes_max = 4;     // bugs that need more fibers to be late at once are rare
constexpr std::size_t steps_log_min = 3;   // how long a program runs is not known: somewhere between 8
constexpr std::size_t steps_log_max = 12;  // and 4,096 suspensions, each power of two as likely
constexpr int patience = 64;               // of who is ready: fibers that wait for it by yielding must fall behind it

}  // namespace

schedule_order::schedule_order(std::uint64_t seed) : seed_{seed}, random_{scrambled(seed)} {
    const bool draws = random_.below(2) == 0;
    if (draws) return;
    const std::size_t steps = std::size_t{1} << (steps_log_min + random_.below(steps_log_max - steps_log_min + 1));
    const std::size_t count = 1 + random_.below(changes_max);
    for (std::size_t i = 0; i < count; ++i) changes_.push_back(1 + random_.below(steps));
}

void schedule_order::choose(ready_list& ready) noexcept {
    if (!changes_.empty()) return choose_by_priority(ready);
    std::size_t left = random_.below(ready.count());
    ready.bring_to_front([&left](const task&) { return left-- == 0; });
}

void schedule_order::choose_by_priority(ready_list& ready) noexcept {
    ++step_;
    const task* chosen = first_of(ready);
    const std::uint64_t oldest = ready.front()->id;
    passed_over_ = oldest == oldest_ ? passed_over_ + 1 : 0;
    oldest_ = oldest;
    const bool is_unfair = passed_over_ > patience && chosen->id != oldest;
    if (is_unfair || std::ranges::find(changes_, step_) != changes_.end()) {
        std::erase(fallen_, chosen->id);
        fallen_.push_back(chosen->id);
        chosen = first_of(ready);
    }
    ready.bring_to_front([chosen](const task& each) { return &each == chosen; });
}

const task* schedule_order::first_of(const ready_list& ready) const noexcept {
    const task* first = ready.front();
    ready.for_each([&](const task& each) {
        if (priority_of(each) > priority_of(*first)) first = &each;
    });
    return first;
}

std::uint64_t schedule_order::priority_of(const task& who) const noexcept {
    // The last one to fall has the least.
    const auto last = std::find(fallen_.rbegin(), fallen_.rend(), who.id);
    if (last != fallen_.rend()) return static_cast<std::uint64_t>(last - fallen_.rbegin());
    return scrambled(seed_ ^ scrambled(who.id)) | std::uint64_t{1} << 63;
}

void schedule_order::shuffle(std::vector<timer_node*>& simultaneous) noexcept {
    for (std::size_t left = simultaneous.size(); left > 1; --left) {
        std::swap(simultaneous[left - 1], simultaneous[random_.below(left)]);
    }
}

}  // namespace coir::detail
