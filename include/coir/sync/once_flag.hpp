#pragma once

#include <coir/detail/core/wait_queue.hpp>

#include <functional>
#include <utility>

namespace coir {

/// What `call_once` remembers. Belongs to the scheduler that first used it; a call from another thread throws
/// `wrong_scheduler`. Must outlive every `call_once` with it (checked for those that wait).
class once_flag {
public:
    once_flag() = default;

private:
    template <class F, class... Args> friend void call_once(once_flag& flag, F&& f, Args&&... args);

    /// Whether the calling fiber is to make the call; else it is made.
    bool begin();
    void end() noexcept;
    void fail() noexcept;

    detail::task* caller_ = nullptr;  // none only when nobody waits; first, so that a report names the flag's address
    detail::wait_queue waiters_{"call_once"};
    bool done_ = false;
};

/// Calls `f`, once for all fibers that come with this flag: who comes while the call runs waits until it is made. A
/// call that throws (a stop, for instance) does not count: its exception passes on, and the fiber that has waited
/// longest makes the next one. Once the call is made, no cancellation point. A wait throws `cancelled`,
/// `scope_expired`: then nothing was called; `with_timeout` limits it. `std::system_error`
/// (`resource_deadlock_would_occur`) when `f` comes back with the same flag.
///
/// @code
/// coir::once_flag opened;
/// int openings = 0;
/// const auto use = [&] { coir::call_once(opened, [&] { ++openings; }); };
/// coir::gather(use, use, use);
/// if (openings != 1) throw std::logic_error{"again"};
/// @endcode
template <class F, class... Args> void call_once(once_flag& flag, F&& f, Args&&... args) {
    if (!flag.begin()) return;
    try {
        std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
    } catch (...) {
        flag.fail();
        throw;
    }
    flag.end();
}

}  // namespace coir
