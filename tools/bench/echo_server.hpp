#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

/// @file
/// Shared by the echo servers.
namespace bench {

constexpr std::size_t echo_buffer_bytes = 4096;

/// Prints the port; the load generator reads this line, then connects.
inline void announce_port(std::uint16_t port) {
    std::printf("port %u\n", port);
    std::fflush(stdout);
}

}  // namespace bench
