#pragma once

#include "detect/wakeup_semaphore.hpp"

namespace coir::detail {

class watched_thread;

/// The one thread of the process that looks after those that run fibers. It begins with the first of them and ends with
/// the last; while all are idle it sleeps without a timer.
namespace watchdog {

/// What wakes it.
[[nodiscard]] wakeup_semaphore& wakeup() noexcept;

/// Whether the calling thread is the watchdog's.
[[nodiscard]] bool is_this_thread() noexcept;

/// On the thread to be watched. Throws `std::system_error` when no thread can be had.
void watch(watched_thread& added);

/// On the same thread: returns when all reports are delivered.
void leave(watched_thread& removed) noexcept;

}  // namespace watchdog

}  // namespace coir::detail
