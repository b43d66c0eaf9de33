#pragma once

#include "base/unique_fd.hpp"

#include <sys/types.h>

namespace coir::detail {

/// A descriptor that becomes readable when a child process has ended, and stays readable: a pidfd, or an eventfd to
/// which a thread that waits for the child writes. That thread does not take the status of the child.
struct exit_watcher {
    unique_fd fd;
    bool is_pidfd = false;

    /// Creates the watcher of a child. Empty if the status of the child has already been taken. May block. Throws
    /// `std::system_error` (`too_many_files_open`).
    static exit_watcher of(pid_t child);
};

}  // namespace coir::detail
