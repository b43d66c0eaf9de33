#include "detect/engine/trap/trapped_fiber.hpp"

#if defined(__x86_64__)

#include "base/system_call.hpp"
#include "detect/engine/trap/kernel_sigaction.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

extern "C" {
// trap_x86_64.S
void coir_trap_restorer();
void coir_trap_pass();
void coir_trap_pass_to_new_stack();
}

namespace coir::detail {

namespace {

constexpr long red_zone = 128;  // bytes below %rsp that the interrupted function may use (System V ABI)

/// Access to the registers of the interrupted fiber.
class interrupted_registers {
public:
    explicit interrupted_registers(ucontext_t& context) noexcept : context_{context} {}

    [[nodiscard]] trapped_call call(long number) const noexcept {
        return {number, {reg(REG_RDI), reg(REG_RSI), reg(REG_RDX), reg(REG_R10), reg(REG_R8), reg(REG_R9)}};
    }
    void return_value(long value) noexcept { reg(REG_RAX) = value; }
    std::uint64_t& mask() noexcept { return *reinterpret_cast<std::uint64_t*>(&context_.uc_sigmask); }

    /// Makes the fiber resume in `trampoline`, which makes the call with the number `number` and returns to the code
    /// behind the trapped instruction.
    void pass(long number, void (*trampoline)()) noexcept {
        reg(REG_RAX) = number;
        reg(REG_RSP) -= red_zone + static_cast<long>(sizeof(long));
        *reinterpret_cast<long*>(reg(REG_RSP)) = reg(REG_RIP);
        resume_in(trampoline);
    }

    /// As above, for a call that creates a child with its own stack, which ends at `top`. The child returns to the same
    /// address.
    void pass_to_new_stack(long number, long top) noexcept {
        *reinterpret_cast<long*>(top - static_cast<long>(sizeof(long))) = reg(REG_RIP);
        pass(number, coir_trap_pass_to_new_stack);
    }

    void resume_in(void (*code)()) noexcept { reg(REG_RIP) = reinterpret_cast<long>(code); }

private:
    long long& reg(int which) noexcept { return context_.uc_mcontext.gregs[which]; }
    [[nodiscard]] long reg(int which) const noexcept { return context_.uc_mcontext.gregs[which]; }

    ucontext_t& context_;
};

long make(const trapped_call& call) {
    const auto& [a, b, c, d, e, f] = call.arguments;
    return coir_system_call(a, b, c, d, e, f, call.number);
}

// ---- calls that cannot be made in a handler ------------------------------------------------------------------------

void pass_clone(interrupted_registers& fiber, long number, long flags, long top) noexcept {
    if (top != 0)
        fiber.pass_to_new_stack(number, top);
    else if ((flags & CLONE_VM) != 0)
        // vfork: on the shared stack the child would overwrite the parent's return address. fork(2) copies the stack.
        fiber.pass(SYS_fork, coir_trap_pass);
    else
        fiber.pass(number, coir_trap_pass);
}

/// Makes the fiber do the call on its own stack, after the handler. Returns false if the call can be made in the
/// handler.
bool pass_to_fiber(interrupted_registers& fiber, const trapped_call& call) noexcept {
    switch (call.number) {
    case SYS_rt_sigreturn: fiber.resume_in(coir_trap_restorer); return true;
    case SYS_fork:
    case SYS_vfork: fiber.pass(SYS_fork, coir_trap_pass); return true;
    // sigaltstack(2) fails on the signal stack. execve(2) does not return on success.
    case SYS_sigaltstack:
    case SYS_execve:
    case SYS_execveat: fiber.pass(call.number, coir_trap_pass); return true;
    case SYS_clone: pass_clone(fiber, SYS_clone, call.arguments[0], call.arguments[1]); return true;
    case SYS_clone3: {
        const auto& arguments = *reinterpret_cast<const clone_args*>(call.arguments[0]);
        const auto top = arguments.stack == 0 ? 0 : static_cast<long>(arguments.stack + arguments.stack_size);
        pass_clone(fiber, SYS_clone3, static_cast<long>(arguments.flags), top);
        return true;
    }
    default: return false;
    }
}

// ---- calls about signals --------------------------------------------------------------------------------------------

/// rt_sigprocmask(2) for the mask that the fiber has after the handler. The handler itself has a different mask.
long change_mask(interrupted_registers& fiber, const trapped_call& call) noexcept {
    const auto& [how, changed, before, bytes, e, f] = call.arguments;
    if (bytes != sizeof(std::uint64_t)) return -EINVAL;
    const std::uint64_t old = fiber.mask();
    if (changed != 0) {
        const std::uint64_t wanted = *reinterpret_cast<const std::uint64_t*>(changed) & ~sigsys_bit;
        switch (how) {
        case SIG_BLOCK: fiber.mask() |= wanted; break;
        case SIG_UNBLOCK: fiber.mask() &= ~wanted; break;
        case SIG_SETMASK: fiber.mask() = wanted; break;
        default: return -EINVAL;
        }
    }
    if (before != 0) *reinterpret_cast<std::uint64_t*>(before) = old;
    return 0;
}

/// Makes a call that waits with a different signal mask. A pointer to the mask is the argument with the index `index`.
long make_with_mask(trapped_call call, std::size_t index) {
    std::uint64_t mask = 0;
    if (const long given = call.arguments[index]; given != 0) {
        mask = *reinterpret_cast<const std::uint64_t*>(given) & ~sigsys_bit;
        call.arguments[index] = reinterpret_cast<long>(&mask);
    }
    return make(call);
}

/// The same for pselect6(2), which takes the address and size of the mask in a structure.
long make_pselect(trapped_call call) {
    struct given {
        const std::uint64_t* mask;
        std::size_t bytes;
    } signals{};
    std::uint64_t mask = 0;
    if (const long asked = call.arguments[5]; asked != 0) {
        signals = *reinterpret_cast<const given*>(asked);
        if (signals.mask != nullptr) {
            mask = *signals.mask & ~sigsys_bit;
            signals.mask = &mask;
        }
        call.arguments[5] = reinterpret_cast<long>(&signals);
    }
    return make(call);
}

long make_in_handler(interrupted_registers& fiber, const trapped_call& call) {
    switch (call.number) {
    case SYS_rt_sigprocmask: return change_mask(fiber, call);
    case SYS_rt_sigaction:
        return call.arguments[3] != sizeof(std::uint64_t)
                   ? -EINVAL
                   : sigaction_without_sigsys(static_cast<int>(call.arguments[0]),
                                              reinterpret_cast<const kernel_sigaction*>(call.arguments[1]),
                                              reinterpret_cast<kernel_sigaction*>(call.arguments[2]));
    case SYS_rt_sigsuspend: return make_with_mask(call, 0);
    case SYS_ppoll: return make_with_mask(call, 3);
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: return make_with_mask(call, 4);
    case SYS_pselect6: return make_pselect(call);
    default: return make(call);
    }
}

}  // namespace

trapped_fiber::trapped_fiber(void* context) noexcept : context_{*static_cast<ucontext_t*>(context)} {}

const void* trapped_fiber::resume_address() const noexcept {
    return reinterpret_cast<const void*>(context_.uc_mcontext.gregs[REG_RIP]);
}

trapped_call trapped_fiber::call(long number) const noexcept { return interrupted_registers{context_}.call(number); }

bool trapped_fiber::pass_to_fiber(const trapped_call& call) noexcept {
    interrupted_registers fiber{context_};
    return coir::detail::pass_to_fiber(fiber, call);
}

void trapped_fiber::make(const trapped_call& call) {
    interrupted_registers fiber{context_};
    fiber.return_value(make_in_handler(fiber, call));
}

bool waits_for_child(const trapped_call& call) noexcept {
    switch (call.number) {
    case SYS_clone: return (call.arguments[0] & CLONE_VFORK) != 0;
    case SYS_clone3: return (reinterpret_cast<const clone_args*>(call.arguments[0])->flags & CLONE_VFORK) != 0;
    default: return false;
    }
}

}  // namespace coir::detail

#endif
