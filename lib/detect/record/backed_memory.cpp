#include "detect/record/backed_memory.hpp"

#include "base/system_call.hpp"

#include <cstdint>
#include <signal.h>
#include <sys/syscall.h>

namespace coir::detail {

bool is_backed(void* first, std::size_t bytes) noexcept {
    constexpr std::uintptr_t page = 4096;  // the smallest that there is
    constexpr long mask_bytes = 8;
    const auto begin = reinterpret_cast<std::uintptr_t>(first);
    for (std::uintptr_t at = begin; at < begin + bytes; at = (at / page + 1) * page) {
        // The kernel stores the signal mask there, and returns EFAULT where a store of ours would be a SIGBUS.
        if (system_call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, at, mask_bytes) != 0) return false;
    }
    return true;
}

}  // namespace coir::detail
