#pragma once

#include "detect/engine/watch/wakeup_semaphore.hpp"

namespace coir::detail {

class watched_thread;

/// The thread of the process that watches the threads that run fibers. It starts with the first watched thread and ends
/// with the last. While all of them are idle it sleeps without a time limit.
namespace watchdog {

/// The semaphore that wakes the watchdog.
[[nodiscard]] wakeup_semaphore& wakeup() noexcept;

/// Whether the calling thread is the watchdog's.
[[nodiscard]] bool is_this_thread() noexcept;

/// Called on the thread to be watched. Throws `std::system_error` when the watchdog's thread cannot be started.
void watch(watched_thread& added);

/// Called on the same thread. Returns when all reports are delivered.
void unwatch(watched_thread& removed) noexcept;

}  // namespace watchdog

}  // namespace coir::detail
