#include "core/inbox.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>

#include "base/sys.hpp"

namespace coir::detail {

inbox::inbox() : bell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (!bell_) throw std::system_error{errno, std::generic_category(), "eventfd for a scheduler"};
}

inbox::~inbox() {
    while (posting_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

void inbox::post(letter& sent) noexcept {
    posting_.fetch_add(1, std::memory_order_relaxed);
    put(sent);
    posting_.fetch_sub(1, std::memory_order_release);
}

void inbox::put(letter& sent) noexcept {
    letter* first = first_.load(std::memory_order_relaxed);
    do {
        sent.next = first;
        // seq_cst, as in may_sleep: either this thread sees the hub asleep, or the hub sees the letter.
    } while (!first_.compare_exchange_weak(first, &sent, std::memory_order_seq_cst, std::memory_order_relaxed));
    if (asleep_.load(std::memory_order_seq_cst)) ring();
}

void inbox::ring() const noexcept {
    const std::uint64_t one = 1;
    // EAGAIN: 2^64-2 rings that nobody read. The descriptor is watched edge-triggered, so it need never be read.
    sys::write(bell_.get(), &one, sizeof one);
}

void inbox::deliver() noexcept {
    if (first_.load(std::memory_order_relaxed) == nullptr) return;
    letter* newest = first_.exchange(nullptr, std::memory_order_acquire);
    letter* oldest = nullptr;
    while (newest != nullptr) {
        letter* const next = std::exchange(newest->next, oldest);
        oldest = std::exchange(newest, next);
    }
    while (oldest != nullptr) {
        letter& arrived = *std::exchange(oldest, oldest->next);
        arrived.arrive(arrived);
    }
}

}  // namespace coir::detail
