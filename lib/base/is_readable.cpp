#include "base/is_readable.hpp"

#include "base/system_call.hpp"

#include <cerrno>
#include <cstdint>
#include <sys/syscall.h>

namespace coir::detail {

bool is_readable(const void* first, std::size_t bytes) noexcept {
    constexpr std::uintptr_t page = 4096;  // the smallest that there is
    constexpr std::uintptr_t word = sizeof(std::uint64_t);
    constexpr int neither = -1;  // no valid operation: EINVAL, unless the address is wrong
    const auto begin = reinterpret_cast<std::uintptr_t>(first);
    if (begin == 0 || begin + bytes < begin) return false;
    for (std::uintptr_t at = begin / word * word; at < begin + bytes; at = (at / page + 1) * page) {
        if (system_call(SYS_rt_sigprocmask, neither, at, nullptr, word) == -EFAULT) return false;
    }
    return true;
}

}  // namespace coir::detail
