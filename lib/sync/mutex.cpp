#include <coir/error.hpp>
#include <coir/sync/mutex.hpp>

#include "core/misuse.hpp"
#include "sync/bind_owner.hpp"
#include "sync/lock_order.hpp"

namespace coir {

using detail::lock_order;
using detail::scheduler;
using detail::task;
using detail::throw_misuse;

mutex::~mutex() { lock_order::destroyed(this); }

void mutex::lock(deadline until) {
    if (!take("mutex::lock", until)) throw timed_out{"mutex::lock"};
}

bool mutex::try_lock_until(deadline until) { return take("mutex::try_lock_until", until); }

/// If the previous owner has ended, so has the holder.
[[gnu::always_inline]] inline const scheduler& mutex::bind_owner(const char* operation) {
    return detail::bind_owner(waiters_, operation, [this]() noexcept { holder_ = nullptr; });
}

bool mutex::take(const char* operation, deadline until) {
    const scheduler& here = bind_owner(operation);
    task& self = here.running();
    // After a time-out, the mutex may have been unlocked before this fiber ran.
    if (holder_ != nullptr && !wait(self, operation, until) && holder_ != nullptr) return false;
    holder_ = &self;
    lock_order::taken(this, "mutex");
    return true;
}

[[gnu::noinline]] bool mutex::wait(const task& self, const char* operation, const deadline& until) {
    if (holder_ == &self) {
        throw_misuse(std::errc::resource_deadlock_would_occur, operation, "this fiber already holds the mutex");
    }
    lock_order::wanted(this, "mutex");
    return waiters_.wait(operation, until, &holder_);  // true: unlock() has made this fiber the holder
}

bool mutex::try_lock() {
    const scheduler& here = bind_owner("mutex::try_lock");
    if (holder_ != nullptr) return false;
    holder_ = &here.running();
    lock_order::taken_by_try(this, "mutex");
    return true;
}

void mutex::unlock() {
    const scheduler* const here = detail::bind_owner_to_release(waiters_, "mutex::unlock");
    if (here == nullptr) [[unlikely]]
        return;
    if (holder_ != &here->running())
        throw_misuse(std::errc::operation_not_permitted, "mutex::unlock: this fiber does not hold the mutex");
    holder_ = waiters_.wake_one();
    lock_order::given_back(this);
}

}  // namespace coir
