#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>
#include <coir/error.hpp>

#include <chrono>

namespace coir {

/// Fibers that wait, in the order they came: what a primitive is made of where none of coir's fits. Fibers of one
/// thread change places only where they suspend, so nothing comes between a look at the state and `wait`, nor between a
/// change and `wake_one`; no lock is needed. Belongs to the scheduler that first used it; a call from another thread
/// throws `wrong_scheduler`. Must outlive every fiber that waits on it (checked).
///
/// Hand over, and no fiber need look again: the wait of the fiber that `wake_one` has woken returns, whatever else
/// befalls the fiber in the meantime, and who gave up before is not woken. What nobody was woken for is kept.
///
/// @code
/// coir::wait_queue visitors{"a ticket"};
/// int tickets = 0;
/// const auto enter = [&] {
///     if (tickets == 0) return visitors.wait();  // woken: one was handed over
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
    /// `waits_for` says in errors and dumps what is waited for; it outlives the queue: a literal.
    explicit wait_queue(const char* waits_for) noexcept : waiters_{waits_for}, waits_for_{waits_for} {}

    /// Suspends the fiber until it is woken. Throws `timed_out`, `cancelled`, `scope_expired`: then nothing was handed
    /// over.
    void wait(deadline until = never) {
        if (!wait_until(until)) throw timed_out{waits_for_};
    }

    /// As `wait`, but false when `until` passes first.
    [[nodiscard]] bool wait_until(deadline until) { return waiters_.wait(waits_for_, until); }

    template <class Rep, class Period> [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(length);
    }

    /// Wakes the fiber that has waited longest: it runs after the fibers already ready. False when none waits. Never
    /// waits.
    bool wake_one() {
        waiters_.bind_owner(waits_for_);
        return waiters_.wake_one() != nullptr;
    }

    /// Wakes those who wait now, in the order they came. Never waits.
    void wake_all() {
        waiters_.bind_owner(waits_for_);
        waiters_.wake_all();
    }

    /// Whether nobody waits.
    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }

private:
    detail::wait_queue waiters_;
    const char* waits_for_;
};

}  // namespace coir
