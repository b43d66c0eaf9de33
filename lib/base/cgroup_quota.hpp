#pragma once

#include <optional>
#include <string>

namespace coir::detail {

/// The number of processors that the cgroup of this process may use: the smallest quota of the group and of all its
/// visible ancestors, each rounded up. `std::nullopt` if no quota limits the process or if the files cannot be read.
/// `root` is prepended to the paths of the files; it is empty for the files of the running system.
[[nodiscard]] std::optional<unsigned> cgroup_quota(const std::string& root);

}  // namespace coir::detail
