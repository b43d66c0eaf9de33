#pragma once

#include <coir/process/process_options.hpp>

#include "base/unique_fd.hpp"
#include "process/exit_watcher.hpp"

#include <signal.h>
#include <string>
#include <sys/types.h>
#include <vector>

/// What a thread of the pool does for `process::spawn`: it blocks, and knows nothing of fibers.
namespace coir::detail {

struct process_start {
    const std::vector<std::string>& arguments;
    const process_options& options;
    sigset_t blocked;  // signals, in the process
};

struct started_process {
    pid_t id = 0;
    exit_watcher end;
    unique_fd pipes[3];  // the program's ends, non-blocking
};

/// Throws what cannot be asked for: `invalid_argument`.
void check_start(const process_start& asked);

/// Throws `std::system_error`; nothing is left of the process then.
started_process start_process(const process_start& asked);

}  // namespace coir::detail
