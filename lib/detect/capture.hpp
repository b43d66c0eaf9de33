#pragma once

#include <array>

namespace coir::detail {

/// Return addresses, innermost first. As an address that a call returns to is looked up one byte before it, an
/// interrupted instruction is stored one byte on.
struct call_stack {
    static constexpr int depth_max = 128;

    int depth = 0;
    std::array<const void*, depth_max> frames;
};

/// The stack of the calling function's callers, from the one that `site`, a return address, lies in. At least `site`.
void capture_from(const void* site, call_stack& into) noexcept;

/// The stack that the calling signal handler has interrupted. Safe in one whenever the thread does not unwind.
void capture_interrupted(call_stack& into) noexcept;

}  // namespace coir::detail
