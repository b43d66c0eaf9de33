#pragma once

#include <span>

namespace coir::test {

/// Has the kernel answer `action` (SECCOMP_RET_ERRNO | EPERM and its like) to a system call, where its first argument
/// is `first` if that is not negative: for the calling thread and all that it starts, for good.
void filter_system_call(unsigned number, long first, unsigned action);

/// Lets these system calls through alone. Of the others, those with a number up to `newest` are answered with `error`,
/// those above it with `error_of_newer`: as container runtimes do with calls that their profile does not know.
void allow_system_calls(std::span<const unsigned> allowed, unsigned newest, unsigned error, unsigned error_of_newer);

}  // namespace coir::test
