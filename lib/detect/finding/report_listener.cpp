#include "detect/finding/report_listener.hpp"

#include <atomic>
#include <mutex>
#include <utility>

namespace coir {

namespace {

using listener_function = std::function<void(const blocking_report&)>;

constinit std::mutex access;
constinit std::atomic<bool> is_there{false};  // known without the lock that a running listener holds

/// Never destroyed: a run may end while the process exits.
listener_function& listener() {
    static auto& made = *new listener_function;
    return made;
}

}  // namespace

void set_blocking_listener(listener_function replacement) {
    const std::lock_guard lock{access};
    std::swap(listener(), replacement);
    is_there = listener() != nullptr;
}

bool detail::has_blocking_listener() noexcept { return is_there; }

void detail::tell_blocking_listener(const blocking_report& what) {
    const std::lock_guard lock{access};
    if (listener()) listener()(what);
}

}  // namespace coir
