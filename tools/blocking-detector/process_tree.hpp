#pragma once

#include <sys/types.h>

namespace detector {

/// SIGKILL to all children of a process and to theirs, as far as they are its descendants still.
void kill_descendants(pid_t of);

}  // namespace detector
