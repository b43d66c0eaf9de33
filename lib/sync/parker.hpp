#pragma once

#include <coir/detail/base/list.hpp>
#include <coir/detail/core/message.hpp>

#include "core/scheduler.hpp"

#include <condition_variable>
#include <mutex>

namespace coir::detail {

/// Wakes a sleeping thread that runs no scheduler.
struct thread_wakeup {
    std::mutex mutex;
    std::condition_variable woken;
};

/// The record of a waiter that another thread may wake: a fiber of any scheduler, or a thread that runs none
/// (`any_parker`). It is on the waiter's stack and in a list of the object that is waited on, guarded by the lock of
/// that object. A thread that removes it from the list, under the lock, must then call `wake` once, after it has
/// released the lock. A waiter that finds itself removed must wait for that call (`sleep_until_woken`) before it
/// destroys the record.
class parker : public list_hook, message {
public:
    /// For a fiber that waits for several things; `all` is a waiter of that fiber. The wake is passed on to `all`.
    parker(waiter& all, scheduler& here) noexcept : parker{all.waits_for, &here, nullptr} { waiter_ = &all; }
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    /// May be called on any thread. The record may be destroyed before this returns.
    void wake() noexcept;

    /// Waits until woken: returns true. Returns false if `until` passes first. In a fiber, throws `cancelled` and
    /// `scope_expired`.
    [[nodiscard]] bool sleep(const deadline& until);

    /// Waits for a wake that is certain to come, without deadline; a stop does not interrupt it.
    void sleep_until_woken() noexcept;

    /// Called when the wait for several things has ended: a later wake only ends `sleep_until_woken`.
    void forget_waiter() noexcept { waiter_ = nullptr; }

protected:
    parker(const char* what, scheduler* home, thread_wakeup* wakeup) noexcept
        : message{arrived}, home_{home}, thread_wakeup_{wakeup}, waits_for_{what} {}

private:
    static void arrived(message& self) noexcept;
    bool park(const deadline& until);
    bool block(const deadline& until);

    scheduler* const home_;               // of the fiber; nullptr for a thread without a scheduler
    thread_wakeup* const thread_wakeup_;  // used if there is no scheduler
    const char* waits_for_;
    waiter* waiter_ = nullptr;  // set while the fiber is parked
    bool woken_ = false;        // without a scheduler: guarded by thread_wakeup_->mutex
};

class any_parker : public parker {
public:
    /// `what` names the awaited thing in dumps; it must be a string literal. In a fiber, throws `cancelled` and
    /// `scope_expired` if they are due.
    explicit any_parker(const char* what)
        : parker{what, scheduler::current() == nullptr ? nullptr : &scheduler::enter(what), &own_wakeup_} {}

private:
    thread_wakeup own_wakeup_;
};

/// Holds an object's lock for a short time. A fiber that has to wait for the lock is not reported as blocking: it is
/// the library that blocks.
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
