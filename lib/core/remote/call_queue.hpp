#pragma once

#include <coir/detail/core/message.hpp>

#include <atomic>

namespace coir::detail {

/// Messages from any thread, first come, first served: a queue from which the hub can take a few at a time, however many
/// there are. Intrusive and lock-free (D. Vyukov, "Intrusive MPSC node-based queue"): a sender first becomes the last
/// one and then links itself to the one before. In between, the messages behind that link cannot be taken yet.
class call_queue {
public:
    call_queue() noexcept = default;
    call_queue(const call_queue&) = delete;
    call_queue& operator=(const call_queue&) = delete;

    /// Any thread.
    void push(message& last) noexcept {
        link_of(last).store(nullptr, std::memory_order_relaxed);
        message* const before = last_.exchange(&last, std::memory_order_acq_rel);
        // seq_cst: a sender that then sees that the hub does not sleep is seen by `can_pop` before the hub sleeps.
        link_of(*before).store(&last, std::memory_order_seq_cst);
    }

    // For the thread of the scheduler:

    /// nullptr if there is none, or if it is not linked yet.
    [[nodiscard]] message* pop() noexcept;

    [[nodiscard]] bool can_pop() noexcept {
        if (link_of(*first_).load(std::memory_order_seq_cst) != nullptr) return true;
        return first_ != &stub_ && last_.load(std::memory_order_acquire) == first_;
    }

    /// False also if a message is not linked yet.
    [[nodiscard]] bool is_empty() const noexcept {
        return first_ == &stub_ && last_.load(std::memory_order_acquire) == &stub_;
    }

private:
    static std::atomic_ref<message*> link_of(message& of) noexcept { return std::atomic_ref<message*>{of.next}; }

    message stub_{nullptr};  // in the queue whenever it would be empty
    std::atomic<message*> last_{&stub_};
    message* first_ = &stub_;
};

inline message* call_queue::pop() noexcept {
    message* first = first_;
    message* next = link_of(*first).load(std::memory_order_acquire);
    if (first == &stub_) {
        if (next == nullptr) return nullptr;
        first = first_ = next;
        next = link_of(*first).load(std::memory_order_acquire);
    }
    if (next == nullptr) {
        if (last_.load(std::memory_order_acquire) != first) return nullptr;
        push(stub_);  // `first` can be taken only when another one is behind it
        next = link_of(*first).load(std::memory_order_acquire);
        if (next == nullptr) return nullptr;
    }
    first_ = next;
    return first;
}

}  // namespace coir::detail
