#pragma once

namespace coir::test {

/// Has the kernel answer `action` (SECCOMP_RET_ERRNO | EPERM and its like) to a system call, where its first argument
/// is `first` if that is not negative: for the calling thread and all that it starts, for good.
void filter_system_call(unsigned number, long first, unsigned action);

}  // namespace coir::test
