#include "detect/engine/trap/kernel_sigaction.hpp"

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

constexpr unsigned long sa_restorer = 0x04000000;  // SA_RESTORER of asm/signal.h; only on x86-64

}  // namespace

struct sigaction as_library(const kernel_sigaction& action) noexcept {
    struct sigaction made {};
    std::memcpy(&made.sa_handler, &action.handler, sizeof action.handler);
    made.sa_flags = static_cast<int>(action.flags & ~sa_restorer);
    std::memcpy(&made.sa_mask, &action.mask, sizeof action.mask);
    return made;
}

kernel_sigaction as_kernel(const struct sigaction& action) noexcept {
    kernel_sigaction made;
    std::memcpy(&made.handler, &action.sa_handler, sizeof made.handler);
    made.flags = static_cast<unsigned long>(action.sa_flags);
#if defined(__x86_64__)
    made.flags |= sa_restorer;
    made.restorer = const_cast<char*>(coir_trap_restorer);
#endif
    std::memcpy(&made.mask, &action.sa_mask, sizeof made.mask);
    return made;
}

kernel_sigaction current_action(int signal) noexcept {
    kernel_sigaction now;
    system_call(SYS_rt_sigaction, signal, nullptr, &now, sizeof now.mask);
    return now;
}

void let_sigsys_through(int signal) noexcept {
    kernel_sigaction expected = current_action(signal);
    if (expected.handler == nullptr || (expected.mask & sigsys_bit) == 0) return;
    kernel_sigaction wanted = expected;
    for (;;) {
        wanted.mask &= ~sigsys_bit;
        kernel_sigaction replaced;
        system_call(SYS_rt_sigaction, signal, &wanted, &replaced, sizeof replaced.mask);
        if (replaced == expected) return;
        // Another thread has set this one in between.
        expected = wanted;
        wanted = replaced;
    }
}

void let_sigsys_through() noexcept {
    for (int signal = 1; signal < NSIG; ++signal) {
        if (signal != SIGSYS) let_sigsys_through(signal);
    }
}

kernel_sigaction& program_sigsys_action() noexcept {
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
        if (before != nullptr) *before = program_sigsys_action();
        if (action != nullptr) program_sigsys_action() = *action;
        return 0;
    }
    kernel_sigaction without_sigsys;
    if (action != nullptr) {
        without_sigsys = *action;
        without_sigsys.mask &= ~sigsys_bit;
    }
    return system_call(SYS_rt_sigaction, signal, action != nullptr ? &without_sigsys : nullptr, before,
                       sizeof without_sigsys.mask);
}

}  // namespace coir::detail
