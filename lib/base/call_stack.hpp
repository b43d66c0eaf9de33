#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace coir::detail {

/// Return addresses, innermost first. A symbol is looked up one byte before the return address. So the address of an
/// interrupted instruction is stored plus one.
struct call_stack {
    static constexpr int depth_max = 128;

    int depth = 0;
    std::array<const void*, depth_max> frames;

    [[nodiscard]] std::span<const void* const> captured() const noexcept {
        return std::span{frames}.first(static_cast<std::size_t>(depth));
    }
};

/// Captures the stack of the calling function, starting at the caller whose return address is `site`. If the unwinder
/// does not find it, the stack contains `site` alone.
void capture_from(const void* site, call_stack& into) noexcept;

/// Captures the stack that the calling signal handler has interrupted. Safe in a handler unless the thread is
/// unwinding.
void capture_interrupted(call_stack& into) noexcept;

}  // namespace coir::detail
