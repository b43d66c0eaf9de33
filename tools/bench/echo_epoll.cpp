// The echo server to beat: one thread, one edge-triggered epoll loop, no library.

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "echo_server.hpp"

namespace {

int listen_on_loopback() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 4096) != 0)
        bench::fail("listen");
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    bench::announce_port(ntohs(address.sin_port));
    return fd;
}

void watch(int epoll, int fd) {
    epoll_event event{.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.fd = fd}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) bench::fail("epoll_ctl");
}

void accept_all(int epoll, int listener) {
    for (int peer; (peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        bench::send_at_once(peer);
        watch(epoll, peer);
    }
}

/// Reads until a read comes back short: then the socket is empty, and the next bytes bring a new edge.
/// An answer fits the send buffer, as a peer waits for one before it sends the next request.
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
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    const int listener = listen_on_loopback();
    watch(epoll, listener);
    std::array<epoll_event, 128> events;
    for (;;) {
        const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            if (event.data.fd == listener) {
                accept_all(epoll, listener);
            } else {
                echo(event.data.fd, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
            }
        }
    }
}
