#pragma once

#include <signal.h>

namespace coir::detail {

/// The handler of SIGSYS. Makes the trapped system call and observes it for the monitor.
void handle_trap(int signal, siginfo_t* info, void* context);

}  // namespace coir::detail
