#pragma once

#include <sys/types.h>
#include <vector>

namespace detector {

/// Sends SIGKILL to all descendants of a process. Does not reach one whose parent has ended, unless it was reparented
/// to a process of this tree.
void kill_descendants(pid_t of);

/// The descendants of a process.
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t process);

}  // namespace detector
