#pragma once

#include "core/loop/scheduler_status.hpp"

#include <cstdint>
#include <signal.h>
#include <string>

namespace coir::detail {

/// Traps on the calling thread while it lives: every system call that is made while the selector in `scheduler_status`
/// says so raises SIGSYS, whose handler makes the call, and tells the thread's monitor what came of it. By Syscall User
/// Dispatch (prctl(2), Linux 5.11, x86-64). Needs an alternate signal stack.
///
/// SIGSYS must never be blocked where a trap can be, or the kernel ends the process: while traps are set, the handlers
/// and masks of the whole program are kept from blocking it.
class trap {
public:
    explicit trap(scheduler_status& thread) noexcept;
    ~trap();
    trap(const trap&) = delete;
    trap& operator=(const trap&) = delete;

    [[nodiscard]] bool is_set() const noexcept { return missing_.empty(); }

    /// Why there is none; empty when there is one.
    [[nodiscard]] const std::string& missing() const noexcept { return missing_; }

private:
    std::string missing_;
    std::uint64_t mask_before_ = 0;  // as the kernel has it
};

/// sigaction(2), which a program may call on any thread while traps are set: never blocks SIGSYS in a handler, and
/// keeps the traps' own handler where it is.
int sigaction_beside_traps(int (*behind)(int, const struct sigaction*, struct sigaction*), int signal,
                           const struct sigaction* action, struct sigaction* before);

}  // namespace coir::detail
