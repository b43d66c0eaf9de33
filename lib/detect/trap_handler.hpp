#pragma once

#include <signal.h>

namespace coir::detail {

/// Handles SIGSYS: makes the system call that was trapped, and has the monitor judge what came of it.
void handle_trap(int signal, siginfo_t* info, void* context);

}  // namespace coir::detail
