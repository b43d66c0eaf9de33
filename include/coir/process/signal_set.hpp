#pragma once

#include <coir/deadline.hpp>

#include <csignal>
#include <initializer_list>
#include <memory>

namespace coir {

/// Signals that fibers wait for during the lifetime of this object: Ctrl-C, `kill`. Their dispositions (sigaction(2))
/// belong to the process: the first set that names a signal installs a handler, and the last one restores the previous
/// disposition. Sets may overlap, in one scheduler or several: each set receives every signal.
///
/// A signal that arrives while no fiber waits is kept for the next `wait`; if the same signal arrives twice, it counts
/// once. Each of the signals must be unblocked in at least one thread. A set may be created and destroyed anywhere. One
/// scheduler at a time may wait on it (`wrong_scheduler`). Must outlive the fibers that wait on it; otherwise the
/// program aborts.
///
/// @code
/// coir::signal_set hangup{SIGHUP};
/// std::raise(SIGHUP);
/// if (hangup.wait(1s) != SIGHUP) throw std::logic_error{"signal"};
/// @endcode
class signal_set {
public:
    /// Throws `std::system_error` (`invalid_argument`) that names the signal if it cannot be caught, or if it reports a
    /// fault in the running code (SIGSEGV and similar).
    signal_set(std::initializer_list<int> signals);
    ~signal_set();
    signal_set(const signal_set&) = delete;
    signal_set& operator=(const signal_set&) = delete;

    /// Waits for the next of these signals, and returns its number: the lowest if several have arrived. If several
    /// fibers wait, the first one gets the signal. Throws `timed_out`, `cancelled`, `scope_expired`, `not_in_fiber`.
    int wait(deadline until = never);

private:
    class subscription;
    std::unique_ptr<subscription> subscription_;
};

}  // namespace coir
