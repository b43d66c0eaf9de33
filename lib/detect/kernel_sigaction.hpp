#pragma once

#include <cstdint>
#include <signal.h>

namespace coir::detail {

/// The kernel's struct of rt_sigaction(2).
struct kernel_sigaction {
    void* handler = nullptr;
    unsigned long flags = 0;
    void* restorer = nullptr;
    std::uint64_t mask = 0;
};

/// The C library's for the kernel, and back. The restorer is ours, from where traps let system calls through.
[[nodiscard]] kernel_sigaction as_kernel(const struct sigaction& librarys) noexcept;
[[nodiscard]] struct sigaction as_library(const kernel_sigaction& kernels) noexcept;

constexpr std::uint64_t sigsys_bit = std::uint64_t{1} << (SIGSYS - 1);

/// What the program itself wants to be done about SIGSYS: kept for it, and used for those that are no traps.
kernel_sigaction& users_sigsys() noexcept;

/// Whether it was set by the traps of another coir in this process: that of another shared library.
[[nodiscard]] bool is_of_another_coir(const kernel_sigaction& action) noexcept;

/// rt_sigaction(2) of a program that must not block SIGSYS, nor take it. Returns -errno.
long sigaction_without_sigsys(int signal, const kernel_sigaction* action, kernel_sigaction* before);

}  // namespace coir::detail
