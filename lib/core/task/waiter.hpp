#pragma once

#include <coir/detail/base/list.hpp>

#include "core/task/task.hpp"

#include <cstdint>
#include <utility>

namespace coir::detail {

/// How a wait ended.
enum class outcome : std::uint8_t {
    waiting,      // it has not
    woken,        // what was waited for is here, handed over to this waiter (invariant 5)
    timed_out,    // its deadline passed
    interrupted,  // the fiber is to stop, or a timeout scope around it expired
    closed,       // what was waited for will never come: the channel or descriptor was closed
    passed_over,  // the fiber waited for several things, and another one was first
};

/// What a parked task leaves with whoever can wake it: a wait queue, a descriptor, a timer, the inbox. Lies on the
/// task's stack for one wait. The first wake wins; a later waker is told so and goes on to the next waiter, so that
/// nothing handed over is lost to one who gave up (invariant 4). A fiber that waits for several things at once leaves a
/// ring of waiters: the first wake of any of them wins.
struct waiter : list_hook {
    /// `what` says in a dump what is waited for; a literal.
    waiter(task& who, const char* what) noexcept : self{who}, waits_for{what} {}
    ~waiter() {
        if (is_linked()) unlink();
    }

    /// Makes the task ready to run, behind those already ready. False, and nothing done, when something else was first.
    bool wake(outcome how) noexcept {
        if (result != outcome::waiting) return false;
        result = how;
        // Out of its queue at once: the queue must not offer it again, nor be destroyed with it inside.
        if (is_linked()) unlink();
        if (next_of_ring != nullptr) [[unlikely]]
            pass_over_others();
        self.make_ready();
        return true;
    }

    /// Puts another one of the same task into the ring.
    void join_ring(waiter& other) noexcept {
        if (next_of_ring == nullptr) next_of_ring = this;
        other.next_of_ring = std::exchange(next_of_ring, &other);
    }

    task& self;
    const char* waits_for;
    task* const* held_by = nullptr;  // where stands who alone can end the wait: the holder of a mutex, a fiber joined
    waiter* next_of_ring = nullptr;
    int descriptor = -1;  // which one, where `waits_for` is about one
    outcome result = outcome::waiting;

private:
    void pass_over_others() noexcept {
        for (waiter* other = next_of_ring; other != this; other = other->next_of_ring) {
            other->result = outcome::passed_over;
            if (other->is_linked()) other->unlink();
        }
    }
};

/// Ends the wait of a parked task that has something due. Does nothing to others: they find it at their next
/// suspension.
inline void interrupt(task& parked) noexcept {
    if (parked.state != task_state::parked) return;
    if (parked.due(static_cast<int>(parked.exceptions.uncaught))) parked.waits->wake(outcome::interrupted);
}

}  // namespace coir::detail
