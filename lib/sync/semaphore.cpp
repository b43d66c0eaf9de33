#include <coir/error.hpp>
#include <coir/sync/semaphore.hpp>

#include "sync/bind_owner.hpp"

namespace coir::detail {

semaphore_core::semaphore_core(std::ptrdiff_t permits, std::ptrdiff_t most) noexcept : permits_{permits}, most_{most} {
    COIR_CHECK(permits >= 0 && permits <= most,
               "semaphore: the initial number of permits must be at least 0 and at most the maximum");
}

void semaphore_core::acquire(deadline until) {
    if (!take("semaphore::acquire", until)) throw timed_out{"semaphore::acquire"};
}

bool semaphore_core::try_acquire_until(deadline until) { return take("semaphore::try_acquire_until", until); }

bool semaphore_core::take(const char* operation, const deadline& until) {
    bind_owner(waiters_, operation);
    if (permits_ == 0) {
        if (waiters_.wait(operation, until)) return true;  // release() has handed over a permit
        if (permits_ == 0) return false;
    }
    --permits_;
    return true;
}

bool semaphore_core::try_acquire() {
    waiters_.bind_owner("semaphore::try_acquire");
    if (permits_ == 0) return false;
    --permits_;
    return true;
}

void semaphore_core::release(std::ptrdiff_t permits) {
    waiters_.bind_owner("semaphore::release");
    COIR_CHECK(permits >= 0, "semaphore::release: the number of permits must not be negative");
    while (permits > 0 && waiters_.wake_one()) --permits;
    COIR_CHECK(permits <= most_ - permits_, "semaphore::release: the number of permits would exceed the maximum");
    permits_ += permits;
}

}  // namespace coir::detail
