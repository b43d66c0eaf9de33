#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>
#include <coir/error.hpp>

#include <chrono>

namespace coir {

/// A queue of fibers that wait, in the order in which they came: a building block for primitives that coir does not
/// have. Fibers of one thread switch only where they suspend. So nothing happens between a check of the state and
/// `wait`, nor between a change and `wake_one`, and no lock is needed. Belongs to the scheduler that first used it; a
/// call from another thread throws `wrong_scheduler`. Must outlive every fiber that waits on it; otherwise the program
/// aborts.
///
/// Let each wakeup hand a resource over, so that the woken fiber need not check the state again. Once `wake_one` has
/// woken a fiber, the `wait` of that fiber returns, even if the fiber is stopped or its deadline passes meanwhile. A
/// fiber whose wait has already ended in another way is not woken. If `wake_one` woke no fiber, keep the resource.
///
/// @code
/// coir::wait_queue visitors{"a ticket"};
/// int tickets = 0;
/// const auto enter = [&] {
///     if (tickets == 0) return visitors.wait();  // woken: a ticket was handed over
///     --tickets;
/// };
/// const auto issue = [&] {
///     if (!visitors.wake_one()) ++tickets;
/// };
/// auto visitor = coir::spawn(enter);
/// coir::this_fiber::yield();
/// issue();
/// visitor.get();
/// if (tickets != 0) throw std::logic_error{"entered without"};
/// @endcode
class wait_queue {
public:
    /// `waits_for` says in errors and dumps what the fibers wait for. It must outlive the queue: use a literal.
    explicit wait_queue(const char* waits_for) noexcept : waiters_{waits_for}, waits_for_{waits_for} {}

    /// Suspends the fiber until it is woken. Throws `timed_out`, `cancelled`, `scope_expired`: then nothing was handed
    /// over to it.
    void wait(deadline until = never) {
        if (!wait_until(until)) throw timed_out{waits_for_};
    }

    /// As `wait`, but returns false if `until` passes first.
    [[nodiscard]] bool wait_until(deadline until) { return waiters_.wait(waits_for_, until); }

    template <class Rep, class Period> [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(length);
    }

    /// Wakes the fiber that has waited longest; it runs after the fibers that are already ready. Returns false if no
    /// fiber waits. Never waits.
    bool wake_one() {
        waiters_.bind_owner(waits_for_);
        return waiters_.wake_one() != nullptr;
    }

    /// Wakes all fibers that wait now, in the order in which they came. Never waits.
    void wake_all() {
        waiters_.bind_owner(waits_for_);
        waiters_.wake_all();
    }

    /// Whether no fiber waits.
    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }

private:
    detail::wait_queue waiters_;
    const char* waits_for_;
};

}  // namespace coir
