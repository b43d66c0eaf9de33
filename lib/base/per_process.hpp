#pragma once

#include <coir/detail/base/fork_generation.hpp>

#include <atomic>

namespace coir::detail {

/// A static object of which a child of fork(2) has one of its own, made anew: what a thread of the parent held locked
/// at that moment stays locked in the child's copy for ever. That copy is left alone, and never destroyed.
template <class T> class per_process {
public:
    constexpr per_process() noexcept = default;

    /// Any thread. The reference holds as long as the process. Throws `std::bad_alloc` at the first call.
    T& get() {
        const unsigned now = fork_count();
        object* known = newest_.load(std::memory_order_acquire);
        if (known != nullptr && known->made_after == now) return known->value;
        auto* const made = new object{now, known};
        // Another thread may be first; nobody replaces what is of this process.
        if (newest_.compare_exchange_strong(known, made, std::memory_order_acq_rel)) return made->value;
        delete made;
        return known->value;
    }

    /// As `get`, but nullptr where nobody in this process has asked for it.
    [[nodiscard]] T* find() noexcept {
        object* const known = newest_.load(std::memory_order_acquire);
        return known != nullptr && known->made_after == fork_count() ? &known->value : nullptr;
    }

private:
    struct object {
        object(unsigned forks, object* of_parent) noexcept : made_after{forks}, parents{of_parent} {}

        const unsigned made_after;
        object* const parents;  // so that looks for lost memory find it
        T value{};
    };

    std::atomic<object*> newest_{nullptr};
};

}  // namespace coir::detail
