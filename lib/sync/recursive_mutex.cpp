#include <coir/error.hpp>
#include <coir/sync/recursive_mutex.hpp>

#include "core/misuse.hpp"
#include "sync/bind_owner.hpp"
#include "sync/lock_order.hpp"

namespace coir {

using detail::lock_order;
using detail::scheduler;
using detail::task;

recursive_mutex::~recursive_mutex() { lock_order::destroyed(this); }

void recursive_mutex::lock(deadline until) {
    if (!take("recursive_mutex::lock", until)) throw timed_out{"recursive_mutex::lock"};
}

bool recursive_mutex::try_lock_until(deadline until) { return take("recursive_mutex::try_lock_until", until); }

/// If the previous owner has ended, so has the holder.
[[gnu::always_inline]] inline const scheduler& recursive_mutex::bind_owner(const char* operation) {
    return detail::bind_owner(waiters_, operation, [this]() noexcept {
        holder_ = nullptr;
        depth_ = 0;
    });
}

bool recursive_mutex::take(const char* operation, deadline until) {
    const scheduler& here = bind_owner(operation);
    if (!take_at_once(here.running())) {
        lock_order::wanted(this, "recursive_mutex");
        // true: unlock() has made this fiber the holder, with a depth of 1. After a time-out, the mutex may have been
        // unlocked before this fiber ran.
        if (!waiters_.wait(operation, until, &holder_) && !take_at_once(here.running())) return false;
    }
    lock_order::taken(this, "recursive_mutex");
    return true;
}

bool recursive_mutex::try_lock() {
    const scheduler& here = bind_owner("recursive_mutex::try_lock");
    if (!take_at_once(here.running())) return false;
    lock_order::taken_by_try(this, "recursive_mutex");
    return true;
}

bool recursive_mutex::take_at_once(task& self) noexcept {
    if (holder_ != nullptr && holder_ != &self) return false;
    holder_ = &self;
    ++depth_;
    return true;
}

void recursive_mutex::unlock() {
    const scheduler* const here = detail::bind_owner_to_release(waiters_, "recursive_mutex::unlock");
    if (here == nullptr) [[unlikely]]
        return;
    if (holder_ != &here->running()) {
        detail::throw_misuse(std::errc::operation_not_permitted,
                             "recursive_mutex::unlock: this fiber does not hold the mutex");
    }
    lock_order::given_back(this);
    if (--depth_ > 0) return;
    holder_ = waiters_.wake_one();
    if (holder_ != nullptr) depth_ = 1;
}

}  // namespace coir
