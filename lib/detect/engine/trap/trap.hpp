#pragma once

#include "core/loop/scheduler_status.hpp"

#include <cstdint>
#include <signal.h>
#include <string>

namespace coir::detail {

/// Traps system calls on the calling thread during its lifetime, with Syscall User Dispatch (prctl(2), Linux 5.11,
/// x86-64). A system call raises SIGSYS while the selector in `scheduler_status` is `block`. The handler makes the call
/// and records the result with the thread's monitor. Needs an alternate signal stack.
///
/// If SIGSYS is blocked at a trap, the kernel kills the process. So while traps are set, coir keeps the signal masks
/// and the signal handlers of the program from blocking SIGSYS.
class trap {
public:
    explicit trap(scheduler_status& thread);
    ~trap();
    trap(const trap&) = delete;
    trap& operator=(const trap&) = delete;

    [[nodiscard]] bool is_set() const noexcept { return missing_.empty(); }

    /// Why system calls are not trapped; empty when they are.
    [[nodiscard]] const std::string& missing() const noexcept { return missing_; }

private:
    std::string missing_;
    std::uint64_t mask_before_ = 0;  // signal mask in the kernel's format
};

/// For the watchdog, at each of its inspections: finds the handlers that the program has set by a system call on a
/// thread without traps, and keeps them from blocking SIGSYS. Returns false if no thread has traps.
bool mend_signal_handlers() noexcept;

/// sigaction(2) for the program, on any thread. While traps are set, removes SIGSYS from the mask of a handler, and
/// stores an action for SIGSYS without replacing the handler of the traps.
int sigaction_beside_traps(int (*next)(int, const struct sigaction*, struct sigaction*), int signal,
                           const struct sigaction* action, struct sigaction* before);

}  // namespace coir::detail
