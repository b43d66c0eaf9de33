#pragma once

#include "base/unique_fd.hpp"

#include <vector>

namespace coir::detail {

/// The sockets that systemd has opened for this process (sd_listen_fds(3)), in the order of its configuration. Once:
/// the variables that say so are taken out of the environment, so that no child takes them for its own.
std::vector<unique_fd> take_activated_sockets();

}  // namespace coir::detail
