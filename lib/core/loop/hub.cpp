#include "core/loop/hub.hpp"

#include <bit>
#include <cstddef>
#include <new>
#include <vector>

namespace coir::detail {

namespace {

constexpr std::int64_t millisecond = 1'000'000;
constexpr std::int64_t round_max = millisecond;  // ns that all resumes of a round may take together
// Nanoseconds after which data that was sent over a connection within this process has reached its other end, even if
// the kernel was interrupted.
constexpr std::int64_t settling_time = 1'000'000;

}  // namespace

hub::hub(const ready_list& ready, clock_mode clock, schedule_order* order)
    : ready_{ready}, clock_{clock}, order_{order} {
    if (clock != clock_mode::real) virtual_.emplace();
    reactor_.watch_wakeup_descriptor(inbox_.wakeup_descriptor());
}

std::int64_t hub::end_round(int left) noexcept {
    // The time is read before the look at the inbox and the descriptors: what came before a deadline that has passed at
    // this time is seen.
    const std::int64_t at = now();
    const std::int64_t took = at - round_began_;
    measure_round(took);
    adapt_quota(took, left);
    inbox_.deliver(quota_);
    const bool timer_is_due = has_due_timer(at);
    // Without waiters for descriptors no system call is made, so fibers that only yield cost none. If no fiber is ready
    // and no timer due, `sleep` makes the call.
    if (reactor_.has_waiters() && (timer_is_due || !ready_.empty())) {
        const bool there_may_be_more = reactor_.poll(0);
        if (there_may_be_more && timer_is_due) poll_the_rest();
    }
    if (timer_is_due) fire_timers(at);
    return at;
}

/// One poll reports a limited number of descriptors. All that are ready must be known before a timer fires.
void hub::poll_the_rest() noexcept {
    for (std::size_t left = reactor_.waiters(); left > reactor::events_max; left -= reactor::events_max) {
        if (!reactor_.poll(0)) return;
    }
}

/// Waits in real time, also if the clock is virtual: the wait is for events from outside. A virtual clock is advanced
/// by the real time that the wait took.
void hub::sleep(std::int64_t nanoseconds) noexcept {
    const std::int64_t began = virtual_ ? virtual_clock::real_now() : 0;
    const bool there_may_be_more = reactor_.poll(inbox_.may_sleep() ? nanoseconds : 0);
    inbox_.awake();
    if (virtual_) virtual_->advance(virtual_clock::real_now() - began);
    begin_round(now());
    inbox_.deliver(quota_);
    if (there_may_be_more && has_due_timer(round_began_)) poll_the_rest();
    fire_timers(round_began_);
}

bool hub::skip_to_first_timer() noexcept {
    if (!virtual_ || timers_.empty() || inbox_.expects() || !inbox_.is_empty()) return false;
    if (reactor_.has_waiters()) {
        if (clock_ != clock_mode::virtual_time_past_io) return false;
        const std::int64_t settled = virtual_clock::real_now() + settling_time;
        for (std::int64_t left = settling_time; ready_.empty() && left > 0;) {
            reactor_.poll(left);
            left = settled - virtual_clock::real_now();
        }
        if (!ready_.empty()) return true;
    }
    virtual_->move_to(timers_.next_look());
    begin_round(virtual_->now());
    fire_timers(round_began_);
    return true;
}

void hub::measure_round(std::int64_t took) noexcept {
    fibers_ran_ += took;
    longest_round_ = std::max(longest_round_, took);
    if (took < millisecond) return;
    const auto log2 = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(took / millisecond))) - 1;
    ++long_rounds_[std::min(log2, long_rounds_.size() - 1)];
}

/// If the last round took long, allows fewer resumes in the next one. Uses only the clock that the hub reads anyway, so
/// that a switch does not have to read it.
void hub::adapt_quota(std::int64_t took, int left) noexcept {
    if (left > 0 && took < round_max) {
        quota_ = quota_max;
    } else if (took > round_max) {
        quota_ = std::max<int>(1, static_cast<int>((quota_ - left) * round_max / took));
    } else {
        quota_ = std::min(quota_max, quota_ * 2);
    }
}

void hub::fire_timers(std::int64_t now) noexcept {
    if (order_ != nullptr) [[unlikely]]
        return fire_timers_in_order(now);
    while (timer_node* due = timers_.pop(now)) due->fire(*due);
}

void hub::fire_timers_in_order(std::int64_t now) noexcept {
    while (timer_node* const first = timers_.pop(now)) {
        const std::int64_t at = first->at;
        std::vector<timer_node*> simultaneous;
        for (timer_node* next = first; next != nullptr; next = timers_.pop(at)) {
            try {
                simultaneous.push_back(next);
            } catch (const std::bad_alloc&) {
                next->fire(*next);  // in an order that the seed does not give
            }
        }
        order_->shuffle(simultaneous);
        for (timer_node* const due : simultaneous) due->fire(*due);
    }
}

}  // namespace coir::detail
