#include "core/remote/gate.hpp"

#include <thread>

namespace coir::detail {

bool gate::put(message& sent, void (inbox::*how)(message&) noexcept) noexcept {
    if (!enter()) return false;
    (inbox_.*how)(sent);
    leave();
    return true;
}

/// One atomic holds the counter and the closed flag: `close` waits for every caller that was counted before the flag
/// was set, and every later caller sees the flag.
bool gate::enter() noexcept {
    if (is_from_parent_process()) [[unlikely]]
        return false;
    if ((state_.fetch_add(pending_call, std::memory_order_acquire) & closed) == 0) return true;
    leave();
    return false;
}

void gate::close() noexcept {
    state_.fetch_or(closed, std::memory_order_relaxed);
    while (state_.load(std::memory_order_acquire) != closed) std::this_thread::yield();
}

void gate::let_go() noexcept {
    const bool inside = enter();  // otherwise the scheduler may end before the inbox is notified
    const std::uint32_t left = references_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if (inside) {
        if (left == 1 && ::pthread_equal(home_, ::pthread_self()) == 0) inbox_.ring();
        leave();
    }
    if (left == 0) delete this;
}

}  // namespace coir::detail
