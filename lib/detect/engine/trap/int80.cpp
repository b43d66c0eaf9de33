#if defined(__x86_64__)

#include "detect/engine/trap/int80.hpp"

#include "base/is_readable.hpp"
#include "base/system_call.hpp"
#include "detect/engine/trap/kernel_sigaction.hpp"

#include <cerrno>
#include <signal.h>

namespace coir::detail {

namespace {

/// From asm/unistd_32.h, whose names are those of the 64-bit numbers.
enum class by_number : long {
    fork = 2,
    execve = 11,
    signal = 48,
    sigaction = 67,
    sgetmask = 68,
    ssetmask = 69,
    sigreturn = 119,
    clone = 120,
    sigprocmask = 126,
    rt_sigreturn = 173,
    rt_sigaction = 174,
    rt_sigprocmask = 175,
    sigaltstack = 186,
    vfork = 190,
    execveat = 358,
    clone3 = 435,
};

long make(const trapped_call& call) {
    const auto& [a, b, c, d, e, f] = call.arguments;
    return coir_trap_int80(a, b, c, d, e, f, call.number);
}

/// The handler is set by the call itself, as only that makes it one of a 32-bit program.
long set_action(const trapped_call& call) {
    const auto signal = static_cast<int>(call.arguments[0]);
    if (signal == SIGSYS) return -EINVAL;  // as a signal that must not be caught
    const long result = make(call);
    let_sigsys_through(signal);
    return result;
}

/// sigprocmask(2) of 32 bits, which knows the first 32 signals.
long change_first_32(interrupted_registers& fiber, const trapped_call& call) noexcept {
    const auto& [how, changed, before, d, e, f] = call.arguments;
    const auto is_valid = [](long address) { return is_readable(pointer_in(address), sizeof(std::uint64_t)); };
    if ((changed != 0 && !is_valid(changed)) || (before != 0 && !is_valid(before))) return -EFAULT;
    const auto old = static_cast<std::uint32_t>(fiber.mask());
    if (changed != 0) {
        const std::uint64_t wanted = *reinterpret_cast<const std::uint32_t*>(changed) & ~sigsys_bit;
        switch (how) {
        case SIG_BLOCK: fiber.mask() |= wanted; break;
        case SIG_UNBLOCK: fiber.mask() &= ~wanted; break;
        case SIG_SETMASK: fiber.mask() = (fiber.mask() >> 32 << 32) | wanted; break;
        default: return -EINVAL;
        }
    }
    if (before != 0) *reinterpret_cast<std::uint32_t*>(before) = old;
    return 0;
}

/// ssetmask(2), which returns the old mask.
long set_first_32(interrupted_registers& fiber, long wanted) noexcept {
    const auto old = static_cast<std::uint32_t>(fiber.mask());
    fiber.mask() = static_cast<std::uint64_t>(wanted) & ~sigsys_bit;
    return old;
}

}  // namespace

bool pass_int80_to_fiber(interrupted_registers& fiber, const trapped_call& call) noexcept {
    switch (by_number{call.number}) {
    case by_number::sigreturn:
    case by_number::rt_sigreturn: fiber.resume_in(coir_trap_pass_int80); return true;  // does not return
    case by_number::fork:
    case by_number::execve:
    case by_number::execveat:
    case by_number::sigaltstack: fiber.pass(int80_trampolines); return true;
    case by_number::vfork: fiber.pass_sharing_stack(int80_trampolines); return true;
    case by_number::clone: fiber.pass_clone(int80_trampolines, call.arguments[0], call.arguments[1]); return true;
    case by_number::clone3: return fiber.pass_clone3(int80_trampolines, call);
    default: return false;
    }
}

long make_by_int80(interrupted_registers& fiber, const trapped_call& call) {
    switch (by_number{call.number}) {
    case by_number::rt_sigprocmask: return fiber.change_mask(call);
    case by_number::sigprocmask: return change_first_32(fiber, call);
    case by_number::ssetmask: return set_first_32(fiber, call.arguments[0]);
    case by_number::sgetmask: return static_cast<std::uint32_t>(fiber.mask());
    case by_number::rt_sigaction:
    case by_number::sigaction:
    case by_number::signal: return set_action(call);
    default: return make(call);
    }
}

}  // namespace coir::detail

#endif
