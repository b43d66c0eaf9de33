#include "sync/sleeper.hpp"

#include <coir/timeout.hpp>

namespace coir::detail {

void sleeper::wake() noexcept {
    if (home_ != nullptr) {
        home_->inbox().post(*this);  // it runs: the fiber waits, or will, until the letter has arrived
        return;
    }
    // Notified with the lock held: the sleeper cannot leave, and take the condition variable along, before it is free.
    const std::lock_guard lock{bell_->mutex};
    woken_ = true;
    bell_->rung.notify_one();
}

bool sleeper::sleep(const deadline& until) { return home_ != nullptr ? park(until) : block(until); }

void sleeper::sleep_until_woken() noexcept {
    if (home_ == nullptr) {
        block(never);
        return;
    }
    const shield_scope shield;
    while (!woken_) park(never);
}

/// The hub.
void sleeper::arrived(letter& arrived) noexcept {
    auto& self = static_cast<sleeper&>(arrived);
    self.woken_ = true;
    if (self.waiter_ != nullptr) self.waiter_->wake(outcome::woken);
}

bool sleeper::park(const deadline& until) {
    if (woken_) return true;
    waiter me{home_->running(), waits_for_};
    waiter_ = &me;
    struct leaving {
        sleeper& self;
        ~leaving() { self.waiter_ = nullptr; }
    } const at_end{*this};
    const expectation of_others{home_->inbox()};
    return home_->park(me, until) == outcome::woken;
}

bool sleeper::block(const deadline& until) {
    std::unique_lock lock{bell_->mutex};
    const auto is_woken = [this] { return woken_; };
    if (until.is_never()) {
        bell_->rung.wait(lock, is_woken);
        return true;
    }
    // Without a scheduler coir's clock is the steady one.
    return bell_->rung.wait_until(
        lock, std::chrono::steady_clock::time_point{std::chrono::nanoseconds{until.nanoseconds()}}, is_woken);
}

}  // namespace coir::detail
