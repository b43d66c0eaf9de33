#pragma once

#include <sys/types.h>

namespace detector {

/// Sends SIGKILL to all descendants of a process. Does not reach one whose parent has ended, unless it was reparented
/// to a process of this tree.
void kill_descendants(pid_t of);

}  // namespace detector
