#pragma once

#include <span>

namespace coir::test {

/// Makes the kernel return `action` (such as SECCOMP_RET_ERRNO | EPERM) for a system call; if `first` is not negative,
/// only if the first argument equals it. Permanent, for the calling thread and all threads and processes that it
/// starts.
void filter_system_call(unsigned number, long first, unsigned action);

/// Permits only these system calls. Others get `error` if their number is at most `newest`, and `error_of_newer` above
/// it, as container runtimes do for calls that are newer than their profile.
void allow_system_calls(std::span<const unsigned> allowed, unsigned newest, unsigned error, unsigned error_of_newer);

/// Permits only these system calls, and only these operations of prctl(2). Any other call kills the process.
void allow_system_calls_or_kill(std::span<const unsigned> allowed, std::span<const unsigned> prctl_operations);

}  // namespace coir::test
