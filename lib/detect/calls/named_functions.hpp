#pragma once

#include "detect/record/blocking_events.hpp"

namespace coir::detail {

/// Finds the addresses of the C library functions whose name describes the wait better than their system calls do:
/// getaddrinfo, dlopen, posix_spawn. Must not be called in a signal handler. Finds none in a static program.
void find_named_functions();

/// If such a function is on the stack of the event, makes the event one of a call of that function: sets its name and
/// class, and removes the frames inside it. Safe in signal handlers.
void name_by_function(blocking_event& seen) noexcept;

}  // namespace coir::detail
