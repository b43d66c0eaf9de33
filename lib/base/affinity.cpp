#include "base/affinity.hpp"

#include <cerrno>
#include <cstddef>
#include <unistd.h>

namespace coir::detail {

namespace {

// A mask for a million processors. If that is still too small, EINVAL has another cause.
constexpr std::size_t sets_max = 1024;

std::size_t bytes_of(const std::vector<cpu_set_t>& mask) noexcept { return mask.size() * sizeof(cpu_set_t); }

}  // namespace

// sched_getaffinity(2): "This error [EINVAL] can occur if cpusetsize is smaller than the size of the affinity mask used
// by the kernel", and "one must use a dynamically sized mask" on machines with more than 1,024 processors.
affinity affinity::of_process() {
    affinity found;
    for (std::size_t sets = 1; sets <= sets_max; sets *= 2) {
        found.mask_.assign(sets, cpu_set_t{});
        if (::sched_getaffinity(::getpid(), bytes_of(found.mask_), found.mask_.data()) == 0) return found;
        if (errno != EINVAL) break;
    }
    found.mask_.clear();
    return found;
}

unsigned affinity::count() const noexcept {
    if (mask_.empty()) return 0;
    return static_cast<unsigned>(CPU_COUNT_S(bytes_of(mask_), mask_.data()));
}

affinity affinity::only(unsigned index) const {
    affinity one;
    one.mask_.assign(mask_.size(), cpu_set_t{});
    for (std::size_t processor = 0; processor < mask_.size() * CPU_SETSIZE; ++processor) {
        if (CPU_ISSET_S(processor, bytes_of(mask_), mask_.data()) == 0 || index-- > 0) continue;
        CPU_SET_S(processor, bytes_of(one.mask_), one.mask_.data());
        break;
    }
    return one;
}

void affinity::apply() const noexcept {
    if (!mask_.empty()) ::sched_setaffinity(0, bytes_of(mask_), mask_.data());
}

}  // namespace coir::detail
