#include <coir/error.hpp>
#include <coir/mutex.hpp>

#include "core/scheduler.hpp"
#include "sync/misuse.hpp"

namespace coir {

using detail::scheduler;
using detail::task;
using detail::throw_misuse;

void mutex::lock(deadline until) {
    if (!take("mutex::lock", until)) throw timed_out{"mutex::lock"};
}

bool mutex::try_lock_until(deadline until) { return take("mutex::try_lock_until", until); }

bool mutex::take(const char* operation, deadline until) {
    const scheduler& here = scheduler::get(operation);
    waiters_.claim(here, operation);
    task& self = here.running();
    if (holder_ == nullptr) {
        holder_ = &self;
        return true;
    }
    if (holder_ == &self) throw_misuse(std::errc::resource_deadlock_would_occur, operation);
    return waiters_.wait(operation, until, &holder_);  // woken: unlock() has made this fiber the holder
}

bool mutex::try_lock() {
    const scheduler& here = scheduler::get("mutex::try_lock");
    waiters_.claim(here, "mutex::try_lock");
    if (holder_ != nullptr) return false;
    holder_ = &here.running();
    return true;
}

void mutex::unlock() {
    const scheduler& here = scheduler::get("mutex::unlock");
    waiters_.claim(here, "mutex::unlock");
    if (holder_ != &here.running()) throw_misuse(std::errc::operation_not_permitted, "mutex::unlock");
    holder_ = waiters_.wake_one();
}

}  // namespace coir
