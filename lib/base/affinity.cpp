#include "base/affinity.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace coir::detail {

namespace {

constexpr std::size_t sets_max = 1024;  // a million processors: EINVAL means something else by then

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

void affinity::apply() const noexcept {
    if (!mask_.empty()) ::sched_setaffinity(0, bytes_of(mask_), mask_.data());
}

}  // namespace coir::detail
