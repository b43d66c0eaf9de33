#pragma once

#include "corpus/entry.hpp"

namespace coir::test {

// Calls that hold the thread.
table sleeping();
table polling();
table on_sockets();
table on_pipes();
table on_disks();
table on_locks();
table on_posix_locks();
table on_processes();
table on_names();
table on_signals();
table on_other_things();
table computing();

/// Potentially blocking calls that do not block.
table lucky();

// Calls that must not be reported.
table harmless_calls();
table harmless_locks();
table harmless_library();
table own_waits();

}  // namespace coir::test
