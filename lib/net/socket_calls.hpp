#pragma once

#include <coir/detail/base/throw_if.hpp>
#include <coir/net/endpoint.hpp>

#include "base/sys.hpp"

#include <algorithm>
#include <climits>
#include <cstddef>
#include <system_error>

namespace coir::detail {

/// Calls socket(2), with SOCK_NONBLOCK and SOCK_CLOEXEC; -1 with `ec`.
inline int make_socket(int family, int type, std::error_code& ec) noexcept {
    const long fd = sys::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ec = error_of(fd);
    return static_cast<int>(fd);
}

/// As above, with the family of an IPv4 or IPv6 endpoint; `address_family_not_supported` for a Unix endpoint.
inline int make_internet_socket(const net::endpoint& of, int type, std::error_code& ec) noexcept {
    if (!of.is_local()) return make_socket(of.family(), type, ec);
    ec = std::make_error_code(std::errc::address_family_not_supported);
    return -1;
}

inline std::error_code set_option(int fd, int level, int option, int value) noexcept {
    return error_of(sys::setsockopt(fd, level, option, &value, sizeof value));
}

inline void set_option(int fd, int level, int option, int value, const char* operation) {
    throw_if(set_option(fd, level, option, value), operation);
}

inline int option(int fd, int level, int option, const char* operation) {
    int value = 0;
    socklen_t size = sizeof value;
    throw_if(error_of(sys::getsockopt(fd, level, option, &value, &size)), operation);
    return value;
}

/// SO_SNDBUF or SO_RCVBUF. The system doubles the value that is set, and returns the doubled value (socket(7)).
inline void set_buffer(int fd, int which, std::size_t bytes, const char* operation) {
    set_option(fd, SOL_SOCKET, which, static_cast<int>(std::min<std::size_t>(bytes, INT_MAX / 2)), operation);
}

inline std::size_t buffer(int fd, int which, const char* operation) {
    return static_cast<std::size_t>(option(fd, SOL_SOCKET, which, operation)) / 2;
}

/// Takes the error of the connection that no call has reported yet (SO_ERROR): as -errno, 0 for none.
inline long pending_error(int fd) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    const long failed = sys::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return failed < 0 ? failed : -error;
}

/// `ask` is getsockname(2) or getpeername(2).
using asks_for_name = long (*)(int, sockaddr*, socklen_t*) noexcept;

inline net::endpoint socket_name(int fd, asks_for_name ask, std::error_code& ec) noexcept {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    auto* const address = reinterpret_cast<sockaddr*>(&name);
    ec = error_of(ask(fd, address, &size));
    const bool is_known = name.ss_family == AF_INET || name.ss_family == AF_INET6 || name.ss_family == AF_UNIX;
    if (!ec && !is_known) ec = std::make_error_code(std::errc::address_family_not_supported);
    return ec ? net::endpoint{} : net::endpoint{address, size};
}

inline net::endpoint socket_name(int fd, asks_for_name ask, const char* operation) {
    std::error_code ec;
    const net::endpoint found = socket_name(fd, ask, ec);
    throw_if(ec, operation);
    return found;
}

}  // namespace coir::detail
