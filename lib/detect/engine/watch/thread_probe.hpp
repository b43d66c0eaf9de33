#pragma once

#include "base/call_stack.hpp"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <sys/types.h>

namespace coir::detail {

/// Reads from another thread what the kernel knows about a thread of this process.
class thread_probe {
public:
    enum class state { running, asleep, unknown };

    /// Constructed on the probed thread, whose thread id is `tid`.
    explicit thread_probe(pid_t tid) noexcept;

    /// The CPU time of the thread.
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const noexcept;

    /// `running` includes a thread that is ready and waits for a processor.
    [[nodiscard]] state now() const noexcept;

    /// Whether the thread blocks this signal. True if that is not known.
    [[nodiscard]] bool blocks(int signal) const noexcept;

    struct sleep {
        long system_call = -1;      // number of the call; -1: none or unknown
        bool on_own_mutex = false;  // waits for a pthread mutex that the thread itself holds, and so never wakes
        std::uintptr_t sp = 0;      // the stack pointer; 0: unknown
        std::uintptr_t pc = 0;      // behind the call, or at the instruction if the thread waits in none (page fault)
    };

    /// The system call in which a sleeping thread waits.
    [[nodiscard]] sleep where_asleep() const noexcept;

    /// Captures the stack of the sleeping thread. Returns false if it has run meanwhile, or /proc does not tell where it
    /// sleeps.
    bool capture(const sleep& where, call_stack& into) const;

private:
    pid_t tid_;
    clockid_t clock_ = CLOCK_THREAD_CPUTIME_ID;
};

}  // namespace coir::detail
