#pragma once

#include <coir/detail/core/wait_queue.hpp>

#include <functional>
#include <utility>

namespace coir {

/// The state of `call_once`. Belongs to the scheduler that first used it; a call from another thread throws
/// `wrong_scheduler`. Must outlive every `call_once` that uses it: if it is destroyed while one of them waits, the
/// program aborts.
class once_flag {
public:
    once_flag() = default;

private:
    template <class F, class... Args> friend void call_once(once_flag& flag, F&& f, Args&&... args);

    /// Returns true if the calling fiber must make the call, and false once the call has been made.
    bool begin();
    void end() noexcept;
    void fail() noexcept;

    // Null only if no fiber waits. First, so that a report names the address of the flag.
    detail::task* caller_ = nullptr;
    detail::wait_queue waiters_{"call_once"};
    bool done_ = false;
};

/// Calls `f` once for all fibers that use this flag. A fiber that arrives while the call runs waits until it has
/// returned. A call that throws (because of a stop, for instance) does not count: its exception is passed on, and the
/// fiber that has waited longest makes the next call. No cancellation point once the call has been made. A wait throws
/// `cancelled`, `scope_expired`: then this fiber has not called `f`. `with_timeout` limits the wait. Throws
/// `std::system_error` (`resource_deadlock_would_occur`) if `f` itself calls `call_once` with the same flag.
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
