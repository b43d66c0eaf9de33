#pragma once

#include "base/unique_fd.hpp"

#include <sys/types.h>

namespace coir::detail {

/// A descriptor that becomes readable when a child process has ended, and stays so: a pidfd, or an eventfd to which a
/// thread writes that waits for the child. That thread leaves the child's status where it is.
struct exit_watcher {
    unique_fd fd;
    bool is_pidfd = false;

    /// Of a child whose status nobody has taken; none when somebody has. To be called where blocking is no harm. Throws
    /// `std::system_error` (`too_many_files_open`).
    static exit_watcher of(pid_t child);
};

}  // namespace coir::detail
