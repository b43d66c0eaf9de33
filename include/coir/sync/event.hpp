#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

namespace coir {

/// Something that happens, and that fibers wait for; stays set until it is reset. Belongs to the scheduler that first
/// used it; a call from another thread throws `wrong_scheduler`. Must outlive every fiber that waits for it (checked).
///
/// @code
/// coir::event ready;
/// auto runner = coir::spawn([&] { ready.wait(); });
/// ready.set();
/// runner.get();
/// @endcode
class event {
public:
    /// Lets go all who wait, and all who come until `reset`. Never waits.
    void set();

    /// Those whom `set` has let go are not called back. Never waits.
    void reset();

    [[nodiscard]] bool is_set() const noexcept { return set_; }

    /// Returns at once when it is set (then no cancellation point), else when it is set next. Throws `timed_out`,
    /// `cancelled`, `scope_expired`.
    void wait(deadline until = never);

private:
    detail::wait_queue waiters_{"event"};
    bool set_ = false;  // true only when nobody waits
};

}  // namespace coir
