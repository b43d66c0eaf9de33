#pragma once

#include <coir/detail/base/platform.hpp>

namespace coir {

/// How many processors this process can keep busy: those of its affinity mask (taskset, a container's cpuset), or fewer
/// where the quota of its cgroup allows less (docker run --cpus, CPUQuota= of systemd, limits.cpu of Kubernetes). Not
/// those that the machine has, as `std::thread::hardware_concurrency`: with more threads than this that compute, a
/// quota is used up early in each period, and all of them stand still until the next one.
///
/// A quota of 1.5 processors is 2. Never less than 1; where nothing limits the process, or no file says so, the
/// processors that are online. Asks the kernel at each call, since either may change: some twenty short system calls,
/// which do not wait. From any thread, also outside of fibers.
///
/// @code
/// std::vector<double> sums(coir::available_cores());  // one for each thread that is to compute
/// if (sums.empty()) throw std::logic_error{"cores"};
/// @endcode
[[nodiscard]] unsigned available_cores();

}  // namespace coir
