#pragma once

#include <coir/detail/base/list.hpp>

#include "core/switch/stack_guards.hpp"

#include <boost/context/stack_context.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace coir::detail {

/// The stacks of one scheduler, used on the scheduler's thread only. Like a StackAllocator of Boost.Context, except
/// that the size is an argument of `allocate`.
///
/// Stacks of one size are cut from large mappings (slabs) that reserve address space but no memory: memory is allocated
/// when a fiber touches it. The lowest quarter of a stack, at least a page and at most 64 KiB, is the guard. A returned
/// stack stays warm (its memory is kept) for the next fiber. At the end of each period, half of the stacks that were
/// not used in it are returned to the system (`trim`).
class stack_pool {
public:
    stack_pool();
    ~stack_pool();
    stack_pool(const stack_pool&) = delete;
    stack_pool& operator=(const stack_pool&) = delete;

    /// Allocates a stack that takes `bytes` of address space including the guard, or more if a page is larger than a
    /// quarter of `bytes`. `stack_context::size` is the usable part. Throws `std::system_error` (not_enough_memory)
    /// with a message that names the limits and how to raise them.
    boost::context::stack_context allocate(std::size_t bytes);

    /// Takes back a stack. It may be the stack that the caller runs on: its memory is not touched until the next call
    /// of `allocate` or `trim`.
    void deallocate(boost::context::stack_context& stack) noexcept;

    /// Begins a new period, and decides how many of the stacks that were unused in the last one `trim` returns.
    void begin_period() noexcept;

    /// Returns up to `stacks_max` unused stacks to the system. Returns true if it has returned so many, since there may
    /// then be more to return.
    bool trim(std::size_t stacks_max) noexcept;

    /// Whether there are unused stacks that this or a later period would return to the system.
    [[nodiscard]] bool has_surplus() const noexcept;

    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    /// The number of warm stacks.
    [[nodiscard]] std::size_t pooled() const noexcept;

    /// The kind of guard that stacks have on this system.
    static guard_kind guard() noexcept;

    /// Rounds a size up to whole pages and to the minimum of a stack. Idempotent.
    static std::size_t round_up(std::size_t bytes) noexcept;

private:
    struct slab;
    struct entry;
    class size_class;

    size_class& class_for(std::size_t bytes);

    std::vector<std::unique_ptr<size_class>> classes_;
    std::size_t in_use_ = 0;
};

}  // namespace coir::detail
