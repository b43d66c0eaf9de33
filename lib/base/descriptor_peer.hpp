#pragma once

#include <string>

namespace coir::detail {

/// What a socket is connected to, for dumps: "tcp 127.0.0.1:40680", "unix /run/x"; of a listening socket, its own
/// address: "listening on tcp 0.0.0.0:80". Empty for other descriptors.
std::string describe_peer(int fd);

}  // namespace coir::detail
