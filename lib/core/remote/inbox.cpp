#include "core/remote/inbox.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <cstdint>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <utility>

namespace coir::detail {

inbox::inbox() : wakeup_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (!wakeup_) throw std::system_error{errno, std::generic_category(), "scheduler: cannot create an eventfd"};
}

inbox::~inbox() {
    while (posting_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

void inbox::post(message& sent) noexcept {
    posting_.fetch_add(1, std::memory_order_relaxed);
    put(sent);
    posting_.fetch_sub(1, std::memory_order_release);
}

void inbox::put(message& sent) noexcept {
    message* first = first_.load(std::memory_order_relaxed);
    do {
        sent.next = first;
        // seq_cst, as in may_sleep: either this thread sees that the hub sleeps, or the hub sees the message.
    } while (!first_.compare_exchange_weak(first, &sent, std::memory_order_seq_cst, std::memory_order_relaxed));
    if (asleep_.load(std::memory_order_seq_cst)) ring();
}

void inbox::put_call(message& sent) noexcept {
    calls_.push(sent);
    if (asleep_.load(std::memory_order_seq_cst)) ring();
}

void inbox::ring() const noexcept {
    const std::uint64_t one = 1;
    // The descriptor is watched edge-triggered and therefore never read. EAGAIN would need 2^64-2 writes.
    sys::write(wakeup_.get(), &one, sizeof one);
}

void inbox::deliver(int calls_max) noexcept {
    if (first_.load(std::memory_order_relaxed) != nullptr) deliver_messages();
    while (calls_to_begin_ < calls_max) {
        message* const call = calls_.pop();
        if (call == nullptr) return;
        ++calls_to_begin_;
        call->arrive(*call);
    }
}

void inbox::deliver_messages() noexcept {
    message* newest = first_.exchange(nullptr, std::memory_order_acquire);
    message* oldest = nullptr;
    while (newest != nullptr) {
        message* const next = std::exchange(newest->next, oldest);
        oldest = std::exchange(newest, next);
    }
    while (oldest != nullptr) {
        message& arrived = *std::exchange(oldest, oldest->next);
        arrived.arrive(arrived);
    }
}

}  // namespace coir::detail
