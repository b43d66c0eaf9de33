#pragma once

#include "detect/system_calls.hpp"

#include <ucontext.h>

namespace coir::detail {

/// The fiber that a trap has interrupted at a system call: its registers, as rt_sigreturn(2) will restore them.
///
/// Like all that serves the calls of a sanitizer's runtime, whose locks may be held, this is compiled without the
/// thread sanitizer (CMakeLists.txt), and calls nothing that it stands before.
class trapped_fiber {
public:
    /// The signal handler's third argument.
    explicit trapped_fiber(void* context) noexcept;

    /// The address behind the instruction that traps.
    [[nodiscard]] const void* goes_on_at() const noexcept;

    /// The call of that number which it makes.
    [[nodiscard]] trapped_call call(long number) const noexcept;

    /// Has the fiber make the call on its own stack, after the handler, if it cannot be made in one. False: it can.
    bool pass_on(const trapped_call& call) noexcept;

    /// Makes the call, in the handler: the fiber goes on as if it had made it.
    void make(const trapped_call& call);

private:
    ucontext_t& context_;
};

/// A clone(2) that returns when the child runs another program.
[[nodiscard]] bool waits_for_its_child(const trapped_call& call) noexcept;

}  // namespace coir::detail
