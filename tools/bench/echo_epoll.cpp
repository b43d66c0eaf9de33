// The baseline echo server: one thread, one edge-triggered epoll loop, no library.

#include "echo_server.hpp"
#include "epoll_loop.hpp"

#include <array>
#include <cerrno>
#include <unistd.h>

namespace {

void accept_all(bench::epoll_loop& loop, int listener) {
    for (int peer; (peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        bench::send_at_once(peer);
        loop.watch(peer, static_cast<std::uint64_t>(peer));
    }
}

/// Reads until a read returns less than requested: then the socket is empty, and the next bytes cause a new edge.
/// An answer always fits into the send buffer, as a client waits for it before it sends the next request.
void echo(int peer, bool peer_closed) {
    std::array<char, bench::echo_buffer_bytes> buffer;
    for (;;) {
        const ssize_t n = read(peer, buffer.data(), buffer.size());
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0 || write(peer, buffer.data(), static_cast<std::size_t>(n)) != n) break;
        if (static_cast<std::size_t>(n) < buffer.size() && !peer_closed) return;
    }
    close(peer);
}

}  // namespace

int main() {
    bench::epoll_loop loop;
    const int listener = bench::bind_to_loopback(SOCK_STREAM | SOCK_NONBLOCK);
    if (listen(listener, 4096) != 0) bench::fail("listen");
    bench::announce_port(bench::port_of(listener));
    loop.watch(listener, static_cast<std::uint64_t>(listener));
    loop.run([&](std::uint64_t data, std::uint32_t events) {
        const int fd = static_cast<int>(data);
        if (fd == listener) {
            accept_all(loop, listener);
        } else {
            echo(fd, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
    });
}
