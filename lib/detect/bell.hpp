#pragma once

#include <semaphore.h>

#include <chrono>

namespace coir::detail {

/// What the watchdog sleeps on. A signal handler may ring it.
class bell {
public:
    bell() noexcept { ::sem_init(&rung_, 0, 0); }
    ~bell() { ::sem_destroy(&rung_); }
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;

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
