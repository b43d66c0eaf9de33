#pragma once

#include <coir/detail/base/platform.hpp>

namespace coir {

/// The number of processors that this process can keep busy: those of its affinity mask (taskset, a container's
/// cpuset), or fewer if the quota of its cgroup allows less (docker run --cpus, CPUQuota= of systemd, limits.cpu of
/// Kubernetes). It is not the number of processors of the machine, as `std::thread::hardware_concurrency` is. If more
/// threads than this compute, they use up the quota early in each period, and all of them stand still until the next
/// one.
///
/// A quota of 1.5 processors counts as 2. The result is at least 1. If nothing limits the process, or if no file states
/// a limit, the result is the number of online processors. Each call asks the kernel, because the limits may change:
/// about twenty short system calls, which do not block. May be called from any thread, also outside of fibers.
///
/// @code
/// std::vector<double> sums(coir::available_cores());  // one for each thread that is to compute
/// if (sums.empty()) throw std::logic_error{"cores"};
/// @endcode
[[nodiscard]] unsigned available_cores();

}  // namespace coir
