#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <sys/types.h>

namespace coir::detail {

/// What the kernel tells about a thread of this process, to another one.
class thread_probe {
public:
    enum class state { running, asleep, unknown };

    /// Of the calling thread.
    explicit thread_probe(pid_t tid) noexcept;

    /// The time that it has computed.
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const noexcept;

    /// Running: on a processor, or ready and waiting for one.
    [[nodiscard]] state now() const noexcept;

    struct sleep {
        long system_call = -1;      // -1: none, or not known
        bool on_own_mutex = false;  // on a pthread mutex that the thread itself holds: it never wakes
    };

    /// In which system call a sleeping thread is.
    [[nodiscard]] sleep where_asleep() const noexcept;

private:
    pid_t tid_;
    clockid_t clock_ = CLOCK_THREAD_CPUTIME_ID;
};

}  // namespace coir::detail
