#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// What the echo servers that are written by hand share: a listening socket and the way to tell its port.
namespace bench {

constexpr std::size_t echo_buffer_bytes = 4096;

/// The load generator reads this line, then connects.
inline void announce_port(std::uint16_t port) {
    std::printf("port %u\n", port);
    std::fflush(stdout);
}

inline void send_at_once(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

[[noreturn]] inline void fail(const char* what) {
    std::perror(what);
    std::exit(EXIT_FAILURE);
}

}  // namespace bench
