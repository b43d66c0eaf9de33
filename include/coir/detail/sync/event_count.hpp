#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/fork_generation.hpp>
#include <coir/detail/base/list.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>

namespace coir::detail {

class parker;

/// Fibers and threads that wait for a condition on state that threads share (Vyukov, folly). A wake hands over nothing:
/// the woken waiter tries again. A thread that changes the state calls `anyone` afterwards. A waiter increments the
/// count and then checks the state once more. The count and the state are accessed with sequential consistency, so the
/// waiter sees the change, or the thread sees the waiter.
class event_count {
public:
    event_count() noexcept;
    ~event_count();
    event_count(const event_count&) = delete;
    event_count& operator=(const event_count&) = delete;

    [[nodiscard]] bool anyone() const noexcept { return count_.load() != 0; }

    /// Wakes the waiter that has waited longest. Does not touch this object after that, as the woken waiter may destroy
    /// it.
    void wake_one() noexcept;
    /// Wakes all current waiters.
    void wake_all() noexcept;

    /// Waits until `attempt()` returns true. It is called after each wake, and once more when the time has run out.
    /// Throws `timed_out`, `cancelled`, `scope_expired`; `attempt()` has then not returned true.
    template <class F> void wait(const char* operation, const deadline& until, F&& attempt) {
        static_assert(noexcept(attempt()), "attempt must be noexcept: it runs while the waiter is in the list");
        wait(operation, until,
             question{[](void* f) { return (*static_cast<std::remove_reference_t<F>*>(f))(); },
                      std::addressof(attempt)});
    }

    // For a waiter that waits for several things.
    void enter(parker& last);
    /// False if the waiter has already been taken out of the list, and its wake is under way.
    [[nodiscard]] bool leave(parker& one) noexcept;

private:
    struct question {
        bool (*ask)(void*);
        void* of;
        [[nodiscard]] bool operator()() const { return ask(of); }
    };

    void wait(const char* operation, const deadline& until, question attempt);
    void enter_first(parker& one);

    // The copy of this object in a forked child may list threads of the parent.
    const fork_generation made_in_;
    std::atomic<std::size_t> count_{0};
    std::mutex mutex_;
    list<parker> parkers_;
};

}  // namespace coir::detail
