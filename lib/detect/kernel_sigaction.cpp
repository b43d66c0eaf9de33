#include "detect/kernel_sigaction.hpp"

#include "base/system_call.hpp"

#include <cstring>
#include <sys/syscall.h>

#if defined(__x86_64__)
extern "C" {  // trap_x86_64.S
extern const char coir_trap_restorer[];
extern const char coir_trap_restorer_end[];
}
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
    made.restorer = const_cast<char*>(coir_trap_restorer);
#endif
    std::memcpy(&made.mask, &librarys.sa_mask, sizeof made.mask);
    return made;
}

kernel_sigaction& users_sigsys() noexcept {
    static constinit kernel_sigaction kept;
    return kept;
}

bool is_of_another_coir([[maybe_unused]] const kernel_sigaction& action) noexcept {
#if defined(__x86_64__)
    if ((action.flags & sa_restorer) == 0 || action.restorer == coir_trap_restorer) return false;
    const auto bytes = static_cast<std::size_t>(coir_trap_restorer_end - coir_trap_restorer);
    return std::memcmp(action.restorer, coir_trap_restorer, bytes) == 0;
#else
    return false;
#endif
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
