#pragma once

#include <coir/detail/base/list.hpp>
#include <coir/detail/core/message.hpp>

#include "core/scheduler.hpp"

#include <condition_variable>
#include <mutex>

namespace coir::detail {

/// What a thread without a scheduler sleeps on.
struct thread_wakeup {
    std::mutex mutex;
    std::condition_variable woken;
};

/// Whoever waits for another thread: a fiber of any scheduler, or a thread that runs none (`any_parker`). Lies on its
/// stack, and stands in a list of what it waits on, under that object's lock. Who takes it out of there under the lock
/// then calls `wake`, once, with the lock released; who finds itself taken out waits for that call
/// (`sleep_until_woken`) before it leaves.
class parker : public list_hook, message {
public:
    /// A fiber's, as a part of a wait for several things, of which `all` is the waiter.
    parker(waiter& all, scheduler& here) noexcept : parker{all.waits_for, &here, nullptr} { waiter_ = &all; }
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    /// Any thread. The parker may be gone when it returns.
    void wake() noexcept;

    /// True once woken, false when `until` came first. Throws `cancelled`, `scope_expired`.
    [[nodiscard]] bool sleep(const deadline& until);

    /// Whatever comes in the meantime: for a wake that is on its way.
    void sleep_until_woken() noexcept;

    /// The wait for several things is over: a wake that still comes is for `sleep_until_woken` alone.
    void forget_waiter() noexcept { waiter_ = nullptr; }

protected:
    parker(const char* what, scheduler* home, thread_wakeup* wakeup) noexcept
        : message{arrived}, home_{home}, thread_wakeup_{wakeup}, waits_for_{what} {}

private:
    static void arrived(message& self) noexcept;
    bool park(const deadline& until);
    bool block(const deadline& until);

    scheduler* const home_;               // of a fiber
    thread_wakeup* const thread_wakeup_;  // of a thread
    const char* waits_for_;
    waiter* waiter_ = nullptr;  // while the fiber is parked
    bool woken_ = false;        // a thread's: under its wakeup's lock
};

class any_parker : public parker {
public:
    /// `what` says in a dump what is waited for; a literal. Throws what is due in a fiber: `cancelled`,
    /// `scope_expired`.
    explicit any_parker(const char* what)
        : parker{what, scheduler::current() == nullptr ? nullptr : &scheduler::enter(what), &own_wakeup_} {}

private:
    thread_wakeup own_wakeup_;
};

/// An object's lock, held for a moment. That a fiber may have to wait for it is the library's doing: detectors look
/// away.
class internal_lock_guard {
public:
    explicit internal_lock_guard(std::mutex& lock) noexcept
        : fiber_{scheduler::current() == nullptr ? nullptr : &scheduler::current()->running()}, lock_{lock} {
        if (fiber_ != nullptr) ++fiber_->permits;
        lock_.lock();
    }
    ~internal_lock_guard() {
        lock_.unlock();
        if (fiber_ != nullptr) --fiber_->permits;
    }
    internal_lock_guard(const internal_lock_guard&) = delete;
    internal_lock_guard& operator=(const internal_lock_guard&) = delete;

private:
    task* const fiber_;
    std::mutex& lock_;
};

}  // namespace coir::detail
