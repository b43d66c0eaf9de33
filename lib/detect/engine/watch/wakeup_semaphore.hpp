#pragma once

#include <chrono>
#include <semaphore.h>

namespace coir::detail {

/// The semaphore on which the watchdog sleeps.
class wakeup_semaphore {
public:
    wakeup_semaphore() noexcept { ::sem_init(&semaphore_, 0, 0); }
    ~wakeup_semaphore() { ::sem_destroy(&semaphore_); }
    wakeup_semaphore(const wakeup_semaphore&) = delete;
    wakeup_semaphore& operator=(const wakeup_semaphore&) = delete;

    /// Wakes the waiting thread. Safe in signal handlers.
    void post() noexcept { ::sem_post(&semaphore_); }

    /// Waits until `post` was called. Several calls of `post` count as one.
    void wait() noexcept;

    /// Waits until `post` was called, or for `most`.
    void wait_for(std::chrono::nanoseconds most) noexcept;

private:
    void drain() noexcept;

    ::sem_t semaphore_;
};

}  // namespace coir::detail
