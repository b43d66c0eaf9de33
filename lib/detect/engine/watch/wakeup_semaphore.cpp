#include "detect/engine/watch/wakeup_semaphore.hpp"

#include <cerrno>
#include <ctime>

namespace coir::detail {

void wakeup_semaphore::wait() noexcept {
    while (::sem_wait(&semaphore_) != 0 && errno == EINTR) {
    }
    drain();
}

void wakeup_semaphore::wait_for(std::chrono::nanoseconds most) noexcept {
    constexpr long second = 1'000'000'000;
    timespec until{};
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    const std::int64_t nanoseconds = until.tv_nsec + most.count();
    until.tv_sec += static_cast<time_t>(nanoseconds / second);
    until.tv_nsec = static_cast<long>(nanoseconds % second);
    while (::sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR) {
    }
    drain();
}

void wakeup_semaphore::drain() noexcept {
    while (::sem_trywait(&semaphore_) == 0) {
    }
}

}  // namespace coir::detail
