#pragma once

#include <coir/detail/base/list.hpp>

#include "core/task/task.hpp"

#include <cstdint>
#include <utility>

namespace coir::detail {

/// How a wait ended.
enum class outcome : std::uint8_t {
    waiting,      // the wait has not ended
    woken,        // the lock, permit, value or event was handed over to this waiter (invariant 5)
    timed_out,    // the deadline passed
    interrupted,  // a stop was requested, or an enclosing timeout scope expired
    closed,       // the channel or descriptor was closed
    passed_over,  // the fiber waited for several things, and another one came first
};

/// The record of a parked task through which it is woken: by a wait queue, a descriptor, a timer or the inbox. It is on
/// the task's stack for exactly one wait. The first wake wins. A later `wake` returns false, and its caller then wakes
/// the next waiter, so that nothing is handed over to a task that no longer waits (invariant 4). A fiber that waits for
/// several things at once has a ring of waiters: the first wake of any of them wins.
struct waiter : list_hook {
    /// `what` names the awaited thing in dumps; it must be a string literal.
    waiter(task& parked, const char* what) noexcept : self{parked}, waits_for{what} {}
    ~waiter() {
        if (is_linked()) unlink();
    }

    /// Ends the wait and makes the task ready, behind the tasks that are already ready. Returns false and does nothing
    /// if the wait has already ended.
    bool wake(outcome how) noexcept {
        if (result != outcome::waiting) return false;
        result = how;
        // Unlinked at once: the queue must not use this waiter again, and may be destroyed before the task runs.
        if (is_linked()) unlink();
        if (next_of_ring != nullptr) [[unlikely]]
            pass_over_others();
        self.make_ready();
        return true;
    }

    /// Adds another waiter of the same task to the ring.
    void join_ring(waiter& other) noexcept {
        if (next_of_ring == nullptr) next_of_ring = this;
        other.next_of_ring = std::exchange(next_of_ring, &other);
    }

    task& self;
    const char* waits_for;
    task* const* held_by = nullptr;  // location of a pointer to the only task that can end the wait; for the wait_graph
    waiter* next_of_ring = nullptr;
    std::int64_t since = 0;  // when the round began in which the task has parked, in nanoseconds of `coir::clock`
    int descriptor = -1;     // the descriptor that is waited for; -1 if the wait is for something else
    outcome result = outcome::waiting;

private:
    void pass_over_others() noexcept {
        for (waiter* other = next_of_ring; other != this; other = other->next_of_ring) {
            other->result = outcome::passed_over;
            if (other->is_linked()) other->unlink();
        }
    }
};

/// Ends the wait of a task that is parked and has an interruption due. Other tasks notice the interruption at their
/// next suspension.
inline void interrupt(task& parked) noexcept {
    if (parked.state != task_state::parked) return;
    if (parked.due(static_cast<int>(parked.exceptions.uncaught))) parked.waits->wake(outcome::interrupted);
}

}  // namespace coir::detail
