#pragma once

#include <coir/detail/base/list.hpp>

#include "core/switch/stack_guards.hpp"

#include <boost/context/stack_context.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace coir::detail {

/// The stacks of one scheduler, used on its thread alone. A Boost.Context StackAllocator that takes the size a call.
///
/// Stacks of one size are cut from large mappings (slabs) that reserve address space and no memory; what a fiber
/// touches is its memory. The lowest quarter of a stack, 64 KiB at most and a page at least, is its guard. A stack that
/// is given back stays warm for the next fiber; what a whole period never needed is returned to the system, half of it
/// each time (`trim`).
class stack_pool {
public:
    stack_pool();
    ~stack_pool();
    stack_pool(const stack_pool&) = delete;
    stack_pool& operator=(const stack_pool&) = delete;

    /// A stack of `bytes` of address space, guard included (`context.size` is what can be used); of more where pages
    /// are larger than a quarter of it. Throws `std::system_error` (not_enough_memory), which names the limit that was
    /// met and how to raise it.
    boost::context::stack_context allocate(std::size_t bytes);

    /// Takes back a stack, also the one that the caller still runs on: its memory is untouched until the next allocate
    /// or trim.
    void deallocate(boost::context::stack_context& stack) noexcept;

    /// A new period begins: what lay unused through the last one is to be returned by `trim`.
    void begin_period() noexcept;

    /// Returns up to `stacks_max` unused stacks to the system; false when nothing is left to return.
    bool trim(std::size_t stacks_max) noexcept;

    /// Whether stacks lie unused that another period would let go.
    [[nodiscard]] bool has_surplus() const noexcept;

    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    [[nodiscard]] std::size_t pooled() const noexcept;

    /// What guards stacks on this machine.
    static guard_kind guard() noexcept;

    /// `bytes` as the pool rounds it: whole pages, and room for a signal handler at least. Rounding again changes
    /// nothing.
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
