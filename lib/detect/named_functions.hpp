#pragma once

#include "detect/blocking_events.hpp"

namespace coir::detail {

/// Looks up where the functions of the C library lie that say more than the system calls which they make: look-ups of
/// names, dlopen, posix_spawn. Not for signal handlers; a static program has none.
void find_named_functions();

/// Where such a function is on the stack, the blocking_event is of a call of it: class and name, and the frames inside
/// it are left out. For signal handlers.
void name_by_function(blocking_event& seen) noexcept;

}  // namespace coir::detail
