#if defined(__x86_64__)

#include "detect/engine/trap/interrupted_registers.hpp"

#include "base/is_readable.hpp"
#include "base/system_call.hpp"
#include "detect/engine/trap/kernel_sigaction.hpp"

#include <cerrno>
#include <cstddef>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

thread_local constinit long coir_trap_return_address = 0;

namespace coir::detail {

void interrupted_registers::pass_clone(const trampolines& by, long flags, long top) noexcept {
    if (top == 0) return (flags & CLONE_VM) != 0 ? pass_sharing_stack(by) : pass(by);
    // The child finds the address at the same place on its stack.
    *reinterpret_cast<long*>(top - static_cast<long>(sizeof(long))) = reg(REG_RIP);
    pass({by.to_new_stack, {}, {}});
}

bool interrupted_registers::pass_clone3(const trampolines& by, const trapped_call& call) noexcept {
    const auto& [address, bytes, c, d, e, f] = call.arguments;
    if (bytes < CLONE_ARGS_SIZE_VER0 || !is_readable(pointer_in(address), CLONE_ARGS_SIZE_VER0)) return false;
    const auto& arguments = *reinterpret_cast<const clone_args*>(address);
    const auto top = arguments.stack == 0 ? 0 : static_cast<long>(arguments.stack + arguments.stack_size);
    pass_clone(by, static_cast<long>(arguments.flags), top);
    return true;
}

long interrupted_registers::change_mask(const trapped_call& call) noexcept {
    const auto& [how, changed, before, bytes, e, f] = call.arguments;
    const bool is_valid = how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK;
    if (bytes != sizeof(std::uint64_t) || (changed != 0 && !is_valid))
        return system_call(SYS_rt_sigprocmask, how, changed, nullptr, bytes);  // EINVAL or EFAULT
    if (changed != 0 && !is_readable(pointer_in(changed), sizeof(std::uint64_t))) return -EFAULT;
    const std::uint64_t old = mask();
    if (changed != 0) {
        const std::uint64_t wanted = *reinterpret_cast<const std::uint64_t*>(changed) & ~sigsys_bit;
        if (how == SIG_BLOCK) mask() |= wanted;
        if (how == SIG_UNBLOCK) mask() &= ~wanted;
        if (how == SIG_SETMASK) mask() = wanted;
    }
    if (before == 0) return 0;
    // Writes the mask of the handler, or fails.
    if (const long refused = system_call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, before, bytes); refused != 0)
        return refused;
    *reinterpret_cast<std::uint64_t*>(before) = old;
    return 0;
}

}  // namespace coir::detail

#endif
