#pragma once

#include "detect/calls/system_calls.hpp"

#include <ucontext.h>

namespace coir::detail {

/// The fiber that a trap has interrupted at a system call: the registers that rt_sigreturn(2) will restore.
///
/// A sanitizer runtime may have made the call, with its locks held. So this file is compiled without the thread
/// sanitizer (CMakeLists.txt), and calls no function that the sanitizer intercepts.
class trapped_fiber {
public:
    /// `context` is the third argument of the signal handler. `by_int80`: the fiber has used int $0x80, the gate for
    /// 32-bit programs, where calls have other numbers.
    trapped_fiber(void* context, bool by_int80) noexcept;

    [[nodiscard]] bool is_by_int80() const noexcept { return by_int80_; }

    /// The address behind the trapped instruction.
    [[nodiscard]] const void* resume_address() const noexcept;

    /// The trapped call; `number` is its number (`si_syscall`).
    [[nodiscard]] trapped_call call(long number) const noexcept;

    /// If the call cannot be made in a signal handler, makes the fiber do it on its own stack after the handler.
    /// Returns false if the call can be made in the handler.
    bool pass_to_fiber(const trapped_call& call) noexcept;

    /// Makes the call in the handler and sets its result as the fiber's return value.
    void make(const trapped_call& call);

private:
    ucontext_t& context_;
    const bool by_int80_;
};

/// Whether the call is a clone(2) that returns only when the child has ended or runs another program (CLONE_VFORK).
[[nodiscard]] bool waits_for_child(const trapped_call& call) noexcept;

}  // namespace coir::detail
