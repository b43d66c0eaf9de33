#include <coir/mark_blocking.hpp>

#include "base/call_stack.hpp"
#include "detect/engine/monitor.hpp"

#include <cerrno>

namespace coir {

[[gnu::noinline]] mark_blocking::mark_blocking(const char* name) noexcept
    : watcher_{detail::monitor::active(blocking_engine::watch, blocking_engine::trap)} {
    if (watcher_ != nullptr && !watcher_->wants(blocking_class::other)) watcher_ = nullptr;
    if (watcher_ == nullptr) return;
    slice_ = watcher_->thread().slices.load(std::memory_order_relaxed);
    detail::blocking_event& seen = watcher_->prepare_call();
    seen.call = name;
    seen.category = blocking_class::other;
    seen.rule = detail::level_rule::always;
    seen.is_marked = true;
    // Now, as the destructor is called from another line.
    detail::capture_from(__builtin_return_address(0), seen.stack);
    watcher_->begin_call();
    sleeps_before_ = detail::times_asleep();
    began_ = std::chrono::steady_clock::now();
}

mark_blocking::~mark_blocking() {
    // After a suspension, the event may be that of another fiber.
    if (watcher_ == nullptr || watcher_->thread().slices.load(std::memory_order_relaxed) != slice_) return;
    const int saved = errno;
    const std::chrono::nanoseconds held = std::chrono::steady_clock::now() - began_;
    const bool slept = detail::times_asleep() != sleeps_before_;
    if (!watcher_->end_call(held)) {
        detail::blocking_event& seen = watcher_->call();
        seen.kind = slept ? blocking_kind::blocked : blocking_kind::latent;
        seen.longest = seen.total = held;
        watcher_->record(seen);
    }
    errno = saved;
}

}  // namespace coir
