#pragma once

#include <coir/deadline.hpp>

#include <csignal>
#include <initializer_list>
#include <memory>

namespace coir {

/// Signals that a fiber waits for, while this lives: Ctrl-C, `kill`. Their dispositions (sigaction(2)) are the
/// process's: the first set that names a signal takes it over, the last one puts back what it found. Sets may overlap,
/// in one scheduler or several: each is told of each signal.
///
/// A signal that comes while nobody waits is kept for the next `wait`; the same one twice counts once. It must not be
/// blocked in all threads. May be made and destroyed anywhere; waited on by one scheduler at a time
/// (`wrong_scheduler`). Must outlive the fibers that wait on it (checked).
///
/// @code
/// coir::signal_set hangup{SIGHUP};
/// std::raise(SIGHUP);
/// if (hangup.wait(1s) != SIGHUP) throw std::logic_error{"signal"};
/// @endcode
class signal_set {
public:
    /// Throws `std::system_error` (`invalid_argument`, naming the signal) for one that cannot be caught, or that tells
    /// of a fault in the running code (SIGSEGV and its like).
    signal_set(std::initializer_list<int> signals);
    ~signal_set();
    signal_set(const signal_set&) = delete;
    signal_set& operator=(const signal_set&) = delete;

    /// Waits for the next of these signals, and returns its number: the lowest when several have come. Of several
    /// fibers that wait, the first is told. Throws `timed_out`, `cancelled`, `scope_expired`, `not_in_fiber`.
    int wait(deadline until = never);

private:
    class subscription;
    std::unique_ptr<subscription> subscription_;
};

}  // namespace coir
