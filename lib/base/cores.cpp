#include <coir/thread/cores.hpp>

#include "base/affinity.hpp"
#include "base/cgroup_quota.hpp"

#include <algorithm>
#include <thread>

namespace coir {

unsigned available_cores() {
    unsigned cores = detail::affinity::of_process().count();
    if (cores == 0) cores = std::max(1U, std::thread::hardware_concurrency());  // 0 if the number is not known
    return std::min(cores, detail::cgroup_quota("").value_or(cores));
}

}  // namespace coir
