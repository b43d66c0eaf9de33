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

/// Calls that can hold the thread, and do not.
table lucky();

// What looks like it, and is not.
table harmless_calls();
table harmless_locks();
table harmless_library();
table own_waits();

}  // namespace coir::test
