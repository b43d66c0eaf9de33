#pragma once

#include <coir/process/process_options.hpp>

#include "base/unique_fd.hpp"
#include "process/exit_watcher.hpp"

#include <signal.h>
#include <string>
#include <sys/types.h>
#include <vector>

/// @file
/// The blocking part of `process::spawn`, made by a thread of the pool. It does not use fibers.

namespace coir::detail {

struct process_start {
    const std::vector<std::string>& arguments;
    const process_options& options;
    sigset_t blocked;  // signal mask of the process
};

struct started_process {
    pid_t id = 0;
    exit_watcher end;
    unique_fd pipes[3];  // the ends of this process, non-blocking
};

/// Throws `std::system_error` (`invalid_argument`) if the arguments or options are invalid.
void check_start(const process_start& request);

/// Starts the process. Throws `std::system_error`; no process is left then.
started_process start_process(const process_start& request);

}  // namespace coir::detail
