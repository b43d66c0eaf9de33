#pragma once

#include <chrono>
#include <semaphore.h>

namespace coir::detail {

/// What the watchdog sleeps on. A signal handler may ring it.
class wakeup_semaphore {
public:
    wakeup_semaphore() noexcept { ::sem_init(&rung_, 0, 0); }
    ~wakeup_semaphore() { ::sem_destroy(&rung_); }
    wakeup_semaphore(const wakeup_semaphore&) = delete;
    wakeup_semaphore& operator=(const wakeup_semaphore&) = delete;

    void ring() noexcept { ::sem_post(&rung_); }

    /// Until it rings.
    void wait() noexcept;

    /// Until it rings or the time has passed.
    void wait_for(std::chrono::nanoseconds most) noexcept;

private:
    void drain() noexcept;

    ::sem_t rung_;
};

}  // namespace coir::detail
