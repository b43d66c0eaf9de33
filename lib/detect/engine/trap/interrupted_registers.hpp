#pragma once

#include "detect/calls/system_calls.hpp"

#include <cstdint>
#include <ucontext.h>

extern "C" {
// trap_x86_64.S
void coir_trap_restorer();
void coir_trap_pass();
void coir_trap_pass_to_new_stack();
void coir_trap_pass_sharing_stack();
void coir_trap_pass_int80();
void coir_trap_pass_int80_to_new_stack();
void coir_trap_pass_int80_sharing_stack();
long coir_trap_int80(long a, long b, long c, long d, long e, long f, long number);

/// Where a call that shares the fiber's stack with its child returns to, in the parent and in the child. A signal
/// handler that makes such a call just before the fiber makes its own one would overwrite it.
extern thread_local constinit long coir_trap_return_address
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
}

namespace coir::detail {

/// The ways to make a call on the fiber's own stack: the trampolines in trap_x86_64.S.
struct trampolines {
    void (*plain)();
    void (*to_new_stack)();
    void (*sharing_stack)();
};
constexpr trampolines syscall_trampolines{coir_trap_pass, coir_trap_pass_to_new_stack, coir_trap_pass_sharing_stack};
constexpr trampolines int80_trampolines{coir_trap_pass_int80, coir_trap_pass_int80_to_new_stack,
                                        coir_trap_pass_int80_sharing_stack};

/// Access to the registers of the interrupted fiber.
class interrupted_registers {
public:
    explicit interrupted_registers(ucontext_t& context) noexcept : context_{context} {}

    [[nodiscard]] trapped_call call(long number) const noexcept {
        return {number, {reg(REG_RDI), reg(REG_RSI), reg(REG_RDX), reg(REG_R10), reg(REG_R8), reg(REG_R9)}};
    }
    /// A call by int $0x80: 32 bits of each argument.
    [[nodiscard]] trapped_call call_by_int80(long number) const noexcept {
        return {number, {low(REG_RBX), low(REG_RCX), low(REG_RDX), low(REG_RSI), low(REG_RDI), low(REG_RBP)}};
    }
    void return_value(long value) noexcept { reg(REG_RAX) = value; }

    /// The signal mask that the fiber has after the handler. The handler itself has a different one.
    std::uint64_t& mask() noexcept { return *reinterpret_cast<std::uint64_t*>(&context_.uc_sigmask); }

    /// rt_sigprocmask(2) for that mask.
    long change_mask(const trapped_call& call) noexcept;

    /// The context that rt_sigreturn(2), the trapped call, would restore.
    [[nodiscard]] ucontext_t& returning_to() const noexcept { return *reinterpret_cast<ucontext_t*>(reg(REG_RSP)); }

    /// Makes the fiber resume in a trampoline, which makes the trapped call and returns to the code behind the trapped
    /// instruction.
    void pass(const trampolines& by) noexcept {
        reg(REG_RSP) -= red_zone + static_cast<long>(sizeof(long));
        *reinterpret_cast<long*>(reg(REG_RSP)) = reg(REG_RIP);
        resume_in(by.plain);
    }

    /// As above, for a clone(2) with these flags, whose child has a stack that ends at `top`; 0: the parent's.
    void pass_clone(const trampolines& by, long flags, long top) noexcept;

    /// As above, for clone3(2). Returns false if the kernel would refuse the arguments, so that no child is made.
    bool pass_clone3(const trampolines& by, const trapped_call& call) noexcept;

    /// As above, for a call whose child uses the parent's stack.
    void pass_sharing_stack(const trampolines& by) noexcept {
        coir_trap_return_address = reg(REG_RIP);
        resume_in(by.sharing_stack);
    }

    void resume_in(void (*code)()) noexcept { reg(REG_RIP) = reinterpret_cast<long>(code); }

private:
    static constexpr long red_zone = 128;  // bytes below %rsp that the interrupted function may use (System V ABI)

    long long& reg(int which) noexcept { return context_.uc_mcontext.gregs[which]; }
    [[nodiscard]] long reg(int which) const noexcept { return context_.uc_mcontext.gregs[which]; }
    [[nodiscard]] long low(int which) const noexcept { return static_cast<std::uint32_t>(reg(which)); }

    ucontext_t& context_;
};

}  // namespace coir::detail
