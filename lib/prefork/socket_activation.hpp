#pragma once

#include "base/unique_fd.hpp"

#include <vector>

namespace coir::detail {

/// The sockets that systemd has opened for this process (sd_listen_fds(3)), in the order of its configuration. A second
/// call returns none: the first removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from the environment, so that no
/// child process uses them.
std::vector<unique_fd> take_activated_sockets();

}  // namespace coir::detail
