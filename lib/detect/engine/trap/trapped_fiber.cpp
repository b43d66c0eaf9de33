#include "detect/engine/trap/trapped_fiber.hpp"

#if defined(__x86_64__)

#include "base/is_readable.hpp"
#include "base/system_call.hpp"
#include "detect/engine/trap/int80.hpp"
#include "detect/engine/trap/interrupted_registers.hpp"
#include "detect/engine/trap/kernel_sigaction.hpp"
#include "detect/record/backed_memory.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>

namespace coir::detail {

namespace {

long make(const trapped_call& call) {
    const auto& [a, b, c, d, e, f] = call.arguments;
    return coir_system_call(a, b, c, d, e, f, call.number);
}

/// Whether signals may come because of this call, from a timer, a new thread or a new process. The program may have set
/// their handlers on another thread just before, and the watchdog has not seen them yet.
bool brings_signals(long number) noexcept {
    switch (number) {
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone:
    case SYS_clone3:
    case SYS_alarm:
    case SYS_setitimer:
    case SYS_timer_settime: return true;
    default: return false;
    }
}

/// Makes the fiber do the call on its own stack, after the handler. Returns false if the call can be made in the
/// handler.
bool pass_to_fiber(interrupted_registers& fiber, const trapped_call& call) noexcept {
    switch (call.number) {
    case SYS_rt_sigreturn:
        // A signal handler may have changed the mask that it returns to.
        reinterpret_cast<std::uint64_t&>(fiber.returning_to().uc_sigmask) &= ~sigsys_bit;
        fiber.resume_in(coir_trap_restorer);
        return true;
    // sigaltstack(2) fails on the signal stack. execve(2) does not return on success.
    case SYS_fork:
    case SYS_sigaltstack:
    case SYS_execve:
    case SYS_execveat: fiber.pass(syscall_trampolines); return true;
    case SYS_vfork: fiber.pass_sharing_stack(syscall_trampolines); return true;
    case SYS_clone: fiber.pass_clone(syscall_trampolines, call.arguments[0], call.arguments[1]); return true;
    case SYS_clone3: return fiber.pass_clone3(syscall_trampolines, call);
    default: return false;
    }
}

// ---- calls about signals --------------------------------------------------------------------------------------------

bool can_be_written(long action) noexcept {
    constexpr std::size_t bytes = sizeof(kernel_sigaction);
    return is_readable(pointer_in(action), bytes) && is_backed(reinterpret_cast<void*>(action), bytes);
}

long set_action(const trapped_call& call) {
    const auto& [signal, action, before, bytes, e, f] = call.arguments;
    if (bytes != sizeof(std::uint64_t)) return -EINVAL;
    if (action != 0 && !is_readable(pointer_in(action), sizeof(kernel_sigaction))) return -EFAULT;
    if (signal == SIGSYS && before != 0 && !can_be_written(before)) return -EFAULT;
    return sigaction_without_sigsys(static_cast<int>(signal), reinterpret_cast<const kernel_sigaction*>(action),
                                    reinterpret_cast<kernel_sigaction*>(before));
}

/// Makes a call that waits with a different signal mask. A pointer to the mask is the argument with the index `index`.
long make_with_mask(trapped_call call, std::size_t index) {
    std::uint64_t mask = 0;
    // With a wrong address the call fails.
    if (const long given = call.arguments[index]; is_readable(pointer_in(given), sizeof mask)) {
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
    if (const long asked = call.arguments[5]; is_readable(pointer_in(asked), sizeof signals)) {
        signals = *reinterpret_cast<const given*>(asked);
        if (is_readable(signals.mask, sizeof mask)) {
            mask = *signals.mask & ~sigsys_bit;
            signals.mask = &mask;
        }
        call.arguments[5] = reinterpret_cast<long>(&signals);
    }
    return make(call);
}

long make_in_handler(interrupted_registers& fiber, const trapped_call& call) {
    switch (call.number) {
    case SYS_rt_sigprocmask: return fiber.change_mask(call);
    case SYS_rt_sigaction: return set_action(call);
    case SYS_rt_sigsuspend: return make_with_mask(call, 0);
    case SYS_ppoll: return make_with_mask(call, 3);
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: return make_with_mask(call, 4);
    case SYS_pselect6: return make_pselect(call);
    default: return make(call);
    }
}

}  // namespace

trapped_fiber::trapped_fiber(void* context, bool by_int80) noexcept
    : context_{*static_cast<ucontext_t*>(context)}, by_int80_{by_int80} {}

const void* trapped_fiber::resume_address() const noexcept {
    return reinterpret_cast<const void*>(context_.uc_mcontext.gregs[REG_RIP]);
}

trapped_call trapped_fiber::call(long number) const noexcept {
    const interrupted_registers fiber{context_};
    return by_int80_ ? fiber.call_by_int80(number) : fiber.call(number);
}

bool trapped_fiber::pass_to_fiber(const trapped_call& call) noexcept {
    interrupted_registers fiber{context_};
    if (!by_int80_ && brings_signals(call.number)) let_sigsys_through();
    return by_int80_ ? pass_int80_to_fiber(fiber, call) : coir::detail::pass_to_fiber(fiber, call);
}

void trapped_fiber::make(const trapped_call& call) {
    interrupted_registers fiber{context_};
    fiber.return_value(by_int80_ ? make_by_int80(fiber, call) : make_in_handler(fiber, call));
}

bool waits_for_child(const trapped_call& call) noexcept {
    switch (call.number) {
    case SYS_vfork: return true;
    case SYS_clone: return (call.arguments[0] & CLONE_VFORK) != 0;
    case SYS_clone3:
        return is_readable(pointer_in(call.arguments[0]), sizeof(clone_args::flags)) &&
               (reinterpret_cast<const clone_args*>(call.arguments[0])->flags & CLONE_VFORK) != 0;
    default: return false;
    }
}

}  // namespace coir::detail

#endif
