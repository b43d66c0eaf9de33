#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

namespace coir {

/// A flag that fibers wait for. Once set, it stays set until it is reset. Belongs to the scheduler that first used it;
/// a call from another thread throws `wrong_scheduler`. Must outlive every fiber that waits for it; otherwise the
/// program aborts.
///
/// @code
/// coir::event ready;
/// auto runner = coir::spawn([&] { ready.wait(); });
/// ready.set();
/// runner.get();
/// @endcode
class event {
public:
    /// Wakes all fibers that wait. Until `reset`, later waits return at once. Never waits.
    void set();

    /// Later waits suspend again. Fibers that `set` has woken are not affected. Never waits.
    void reset();

    [[nodiscard]] bool is_set() const noexcept { return set_; }

    /// Returns at once if the event is set (then no cancellation point); otherwise waits until it is set. Throws
    /// `timed_out`, `cancelled`, `scope_expired`.
    void wait(deadline until = never);

private:
    detail::wait_queue waiters_{"event"};
    bool set_ = false;  // true only if no fiber waits
};

}  // namespace coir
