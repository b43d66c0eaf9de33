#pragma once

#include "loopback.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bench {

/// A socket connected to a server; the destructor closes it.
class client_socket {
public:
    client_socket(int type, std::uint16_t port) : fd_{socket(AF_INET, type | SOCK_CLOEXEC, 0)} {
        const sockaddr_in address = at_loopback(port);
        if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("connect");
        if (type == SOCK_STREAM) send_at_once(fd_);
    }
    client_socket(client_socket&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    client_socket& operator=(client_socket&&) = delete;
    ~client_socket() {
        if (fd_ >= 0) close(fd_);
    }

    int fd() const { return fd_; }

private:
    int fd_;
};

/// A client of a `closed_loop` without TLS: it always sends the same request, and all answers have the same length.
class plain_client {
public:
    /// `request` must outlive this object.
    plain_client(int type, std::uint16_t port, const std::string& request, std::size_t answer_bytes)
        : socket_{type, port}, request_{&request}, answer_bytes_{answer_bytes} {}

    int fd() const { return socket_.fd(); }

    void send_request() {
        const ssize_t n = send(fd(), request_->data(), request_->size(), MSG_NOSIGNAL);
        if (n != static_cast<ssize_t>(request_->size())) fail("send");
    }

    bool receive_answer() { return receive(MSG_DONTWAIT); }
    void wait_for_answer() {
        while (!receive(0)) {
        }
    }

private:
    bool receive(int flags) {
        static std::array<char, 256 << 10> buffer;
        while (received_ < answer_bytes_) {
            const ssize_t n = recv(fd(), buffer.data(), std::min(buffer.size(), answer_bytes_ - received_), flags);
            if (n < 0 && errno == EAGAIN) return false;
            if (n <= 0) fail("recv");
            received_ += static_cast<std::size_t>(n);
        }
        received_ = 0;
        return true;
    }

    client_socket socket_;
    const std::string* request_;
    std::size_t answer_bytes_;
    std::size_t received_ = 0;  // bytes of the current answer
};

inline std::vector<plain_client> plain_clients(long count, int type, std::uint16_t port, const std::string& request,
                                               std::size_t answer_bytes) {
    std::vector<plain_client> made;
    for (long i = 0; i < count; ++i) made.emplace_back(type, port, request, answer_bytes);
    return made;
}

}  // namespace bench
