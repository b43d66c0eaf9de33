#include "detect/kernel_sigaction.hpp"

#include <sys/syscall.h>

#include <cstring>

#include "base/system_call.hpp"

#if defined(__x86_64__)
extern "C" void coir_trap_restorer();  // trap_x86_64.S
#endif

namespace coir::detail {

namespace {

constexpr unsigned long sa_restorer = 0x04000000;  // asm/signal.h, of x86-64 alone

}  // namespace

struct sigaction as_library(const kernel_sigaction& kernels) noexcept {
    struct sigaction made {};
    std::memcpy(&made.sa_handler, &kernels.handler, sizeof kernels.handler);
    made.sa_flags = static_cast<int>(kernels.flags & ~sa_restorer);
    std::memcpy(&made.sa_mask, &kernels.mask, sizeof kernels.mask);
    return made;
}

kernel_sigaction as_kernel(const struct sigaction& librarys) noexcept {
    kernel_sigaction made;
    std::memcpy(&made.handler, &librarys.sa_handler, sizeof made.handler);
    made.flags = static_cast<unsigned long>(librarys.sa_flags);
#if defined(__x86_64__)
    made.flags |= sa_restorer;
    made.restorer = reinterpret_cast<void*>(coir_trap_restorer);
#endif
    std::memcpy(&made.mask, &librarys.sa_mask, sizeof made.mask);
    return made;
}

kernel_sigaction& users_sigsys() noexcept {
    static constinit kernel_sigaction kept;
    return kept;
}

long sigaction_without_sigsys(int signal, const kernel_sigaction* action, kernel_sigaction* before) {
    if (signal == SIGSYS) {
        if (before != nullptr) *before = users_sigsys();
        if (action != nullptr) users_sigsys() = *action;
        return 0;
    }
    kernel_sigaction harmless;
    if (action != nullptr) {
        harmless = *action;
        harmless.mask &= ~sigsys_bit;
    }
    return system_call(SYS_rt_sigaction, signal, action != nullptr ? &harmless : nullptr, before, sizeof harmless.mask);
}

}  // namespace coir::detail
