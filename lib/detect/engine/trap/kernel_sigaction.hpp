#pragma once

#include <cstdint>
#include <signal.h>

namespace coir::detail {

/// The structure that the kernel's rt_sigaction(2) takes.
struct kernel_sigaction {
    void* handler = nullptr;
    unsigned long flags = 0;
    void* restorer = nullptr;
    std::uint64_t mask = 0;

    bool operator==(const kernel_sigaction&) const = default;
};

/// Convert between the structures of the C library and of the kernel. The restorer is coir's own: Syscall User Dispatch
/// does not trap the rt_sigreturn(2) in it.
[[nodiscard]] kernel_sigaction as_kernel(const struct sigaction& action) noexcept;
[[nodiscard]] struct sigaction as_library(const kernel_sigaction& action) noexcept;

constexpr std::uint64_t sigsys_bit = std::uint64_t{1} << (SIGSYS - 1);

/// The action that the kernel has for `signal`.
[[nodiscard]] kernel_sigaction current_action(int signal) noexcept;

/// Removes SIGSYS from the mask of the handler of `signal`, if there is one. Another thread may set a handler at the
/// same time; the newest handler stays.
void let_sigsys_through(int signal) noexcept;

/// The same for all signals but SIGSYS.
void let_sigsys_through() noexcept;

/// The action that the program has set for SIGSYS. Used for a SIGSYS that is not a trap.
kernel_sigaction& program_sigsys_action() noexcept;

/// Whether `action` was set by another copy of coir in this process, inside another shared library.
[[nodiscard]] bool is_of_another_coir(const kernel_sigaction& action) noexcept;

/// rt_sigaction(2) on behalf of the program. Removes SIGSYS from the mask of a handler. An action for SIGSYS is stored
/// in `program_sigsys_action` and not installed. Returns 0 or -errno.
long sigaction_without_sigsys(int signal, const kernel_sigaction* action, kernel_sigaction* before);

}  // namespace coir::detail
