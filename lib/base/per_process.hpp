#pragma once

#include <coir/detail/base/fork_generation.hpp>

#include <atomic>

namespace coir::detail {

/// A static object that a child of fork(2) creates anew. The child cannot use its copy of the parent's object: a mutex
/// that another thread of the parent held during the fork is never unlocked there. That copy is never used and never
/// destroyed.
template <class T> class per_process {
public:
    constexpr per_process() noexcept = default;

    /// Creates the object at the first call in a process. May be called on any thread. The reference is valid until the
    /// process ends. Throws `std::bad_alloc` and what the constructor throws; a later call then tries again. Once it has
    /// returned in a process, it throws no more in that process.
    T& get() {
        object* known = newest_.load(std::memory_order_acquire);
        if (is_of_this_process(known)) return known->value;
        auto* const made = new object{known};
        // On failure, `known` is the object that another thread of this process has just stored. It is never replaced.
        if (newest_.compare_exchange_strong(known, made, std::memory_order_acq_rel)) return made->value;
        delete made;
        return known->value;
    }

    /// Like `get`, but returns nullptr if `get` was not called in this process.
    [[nodiscard]] T* find() noexcept {
        object* const known = newest_.load(std::memory_order_acquire);
        return is_of_this_process(known) ? &known->value : nullptr;
    }

private:
    struct object {
        explicit object(object* of_parent) : parents{of_parent} {}

        const fork_generation made_in;
        object* const parents;  // keeps the parent's object reachable for leak checkers
        T value{};
    };

    static bool is_of_this_process(const object* known) noexcept {
        return known != nullptr && !known->made_in.is_from_parent_process();
    }

    std::atomic<object*> newest_{nullptr};
};

}  // namespace coir::detail
