// The baseline UDP echo server: one socket, one edge-triggered epoll loop, one datagram per call.

#include "echo_server.hpp"
#include "epoll_loop.hpp"

#include <array>

namespace {

/// Receives until the socket is empty; the next datagram causes a new edge.
void echo_all(int fd) {
    std::array<char, bench::echo_buffer_bytes> buffer;
    for (;;) {
        sockaddr_in peer;
        socklen_t size = sizeof peer;
        const ssize_t n = recvfrom(fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
        if (n < 0) return;
        sendto(fd, buffer.data(), static_cast<std::size_t>(n), 0, reinterpret_cast<const sockaddr*>(&peer), size);
    }
}

}  // namespace

int main() {
    bench::epoll_loop loop;
    const int fd = bench::bind_to_loopback(SOCK_DGRAM | SOCK_NONBLOCK);
    bench::announce_port(bench::port_of(fd));
    loop.watch(fd, static_cast<std::uint64_t>(fd));
    loop.run([](std::uint64_t data, std::uint32_t) { echo_all(static_cast<int>(data)); });
}
