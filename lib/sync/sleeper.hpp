#pragma once

#include <coir/detail/letter.hpp>
#include <coir/detail/list.hpp>
#include <condition_variable>
#include <mutex>

#include "core/scheduler.hpp"

namespace coir::detail {

/// What a thread without a scheduler sleeps on.
struct thread_bell {
    std::mutex mutex;
    std::condition_variable rung;
};

/// Whoever waits for another thread: a fiber of any scheduler, or a thread that runs none (`any_sleeper`). Lies on its
/// stack, and stands in a list of what it waits on, under that object's lock. Who takes it out of there under the lock
/// then calls `wake`, once, with the lock released; who finds itself taken out waits for that call
/// (`sleep_until_woken`) before it leaves.
class sleeper : public list_hook, letter {
public:
    /// A fiber's, as a part of a wait for several things, of which `all` is the waiter.
    sleeper(waiter& all, scheduler& here) noexcept : sleeper{all.waits_for, &here, nullptr} { waiter_ = &all; }
    sleeper(const sleeper&) = delete;
    sleeper& operator=(const sleeper&) = delete;

    /// Any thread. The sleeper may be gone when it returns.
    void wake() noexcept;

    /// True once woken, false when `until` came first. Throws `cancelled`, `scope_expired`.
    [[nodiscard]] bool sleep(const deadline& until);

    /// Whatever comes in the meantime: for a wake that is on its way.
    void sleep_until_woken() noexcept;

    /// The wait for several things is over: a wake that still comes is for `sleep_until_woken` alone.
    void forget_waiter() noexcept { waiter_ = nullptr; }

protected:
    sleeper(const char* what, scheduler* home, thread_bell* bell) noexcept
        : letter{arrived}, home_{home}, bell_{bell}, waits_for_{what} {}

private:
    static void arrived(letter& self) noexcept;
    bool park(const deadline& until);
    bool block(const deadline& until);

    scheduler* const home_;    // of a fiber
    thread_bell* const bell_;  // of a thread
    const char* waits_for_;
    waiter* waiter_ = nullptr;  // while the fiber is parked
    bool woken_ = false;        // a thread's: under its bell's lock
};

class any_sleeper : public sleeper {
public:
    /// `what` says in a dump what is waited for; a literal. Throws what is due in a fiber: `cancelled`,
    /// `scope_expired`.
    explicit any_sleeper(const char* what)
        : sleeper{what, scheduler::current() == nullptr ? nullptr : &scheduler::enter(what), &own_bell_} {}

private:
    thread_bell own_bell_;
};

/// An object's lock, held for a moment. That a fiber may have to wait for it is the library's doing: detectors look
/// away.
class moment {
public:
    explicit moment(std::mutex& lock) noexcept
        : fiber_{scheduler::current() == nullptr ? nullptr : &scheduler::current()->running()}, lock_{lock} {
        if (fiber_ != nullptr) ++fiber_->permits;
        lock_.lock();
    }
    ~moment() {
        lock_.unlock();
        if (fiber_ != nullptr) --fiber_->permits;
    }
    moment(const moment&) = delete;
    moment& operator=(const moment&) = delete;

private:
    task* const fiber_;
    std::mutex& lock_;
};

}  // namespace coir::detail
