#pragma once

#include <optional>
#include <string>

namespace coir::detail {

/// How many processors the cgroup of this process may use, with all the groups above it that can be seen from here: the
/// least of their quotas, each rounded up. Nothing where none limits it, or its files cannot be read. The files are
/// looked for below `root`: "" for the machine's own.
[[nodiscard]] std::optional<unsigned> cgroup_quota(const std::string& root);

}  // namespace coir::detail
