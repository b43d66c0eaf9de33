#include "sync/parker.hpp"

#include <coir/detail/base/scope_exit.hpp>
#include <coir/shield.hpp>

namespace coir::detail {

void parker::wake() noexcept {
    if (home_ != nullptr) {
        home_->inbox().post(*this);  // the scheduler still runs: its fiber does not leave before the message arrives
        return;
    }
    // Notified with the lock held: the waiting thread cannot destroy the condition variable before the lock is
    // released.
    const internal_lock_guard lock{thread_wakeup_->mutex};
    woken_ = true;
    thread_wakeup_->woken.notify_one();
}

bool parker::sleep(const deadline& until) { return home_ != nullptr ? park(until) : block(until); }

void parker::sleep_until_woken() noexcept {
    if (home_ == nullptr) {
        block(never);
        return;
    }
    const shield_scope shield;
    while (!woken_) park(never);
}

/// Called by the hub.
void parker::arrived(message& arrived) noexcept {
    auto& self = static_cast<parker&>(arrived);
    self.woken_ = true;
    if (self.waiter_ != nullptr) self.waiter_->wake(outcome::woken);
}

bool parker::park(const deadline& until) {
    if (woken_) return true;
    waiter me{home_->running(), waits_for_};
    waiter_ = &me;
    const scope_exit at_end{[this] { waiter_ = nullptr; }};
    const expectation of_others{home_->inbox()};
    return home_->park(me, until) == outcome::woken;
}

bool parker::block(const deadline& until) {
    std::unique_lock lock{thread_wakeup_->mutex};
    const auto is_woken = [this] { return woken_; };
    if (until.is_never()) {
        thread_wakeup_->woken.wait(lock, is_woken);
        return true;
    }
    // On a thread without a scheduler, coir::clock is the steady clock.
    return thread_wakeup_->woken.wait_until(
        lock, std::chrono::steady_clock::time_point{std::chrono::nanoseconds{until.nanoseconds()}}, is_woken);
}

}  // namespace coir::detail
