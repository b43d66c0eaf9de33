#pragma once

#include <coir/detail/base/platform.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

namespace coir::net {

/// The address of a socket: a numeric IPv4 or IPv6 address with a port, or the path of a Unix socket. Host names need
/// `resolve`. A value type. It makes no system call, except to look up the interface in an address like `fe80::1%eth0`.
///
/// @code
/// const coir::net::endpoint local{"127.0.0.1", 7000};
/// const auto parsed = coir::net::endpoint::parse("[::1]:443");
/// if (local.to_string() != "127.0.0.1:7000" || parsed.address() != "::1" || parsed.port() != 443) {
///     throw std::logic_error{"endpoint"};
/// }
/// @endcode
class endpoint {
public:
    /// `0.0.0.0:0`: any IPv4 address of this machine, any port.
    endpoint() noexcept;

    /// Throws `std::system_error` (`invalid_argument`, with the text in the message) if `address` is not a numeric
    /// address.
    endpoint(std::string_view address, std::uint16_t port);

    /// As above, with the error in `ec`; the result is then `0.0.0.0:0`.
    endpoint(std::string_view address, std::uint16_t port, std::error_code& ec) noexcept;

    /// From a socket address as system calls return it. Throws `std::system_error` (`address_family_not_supported`) if
    /// it is not an IPv4, IPv6 or Unix address, or is too short for one.
    endpoint(const sockaddr* address, socklen_t size);

    /// A Unix socket (unix(7)). `path` is a path in the file system, or, with a leading `@`, a name in Linux's abstract
    /// namespace, which exists as long as its socket. An empty path is a socket without a name. Throws
    /// `std::system_error`: `filename_too_long` for more than 107 bytes (108 with the `@` of an abstract name),
    /// `invalid_argument` if a path in the file system contains a zero byte.
    static endpoint local(std::string_view path);

    /// Accepts `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, `unix:/run/service`, `unix:@service`. Throws
    /// `std::system_error`, with the text in the message: `invalid_argument`, or `filename_too_long` as `local`. Never a
    /// host name, so `unix:80` is the path `80`: for a host and a service from elsewhere, use `resolve`.
    static endpoint parse(std::string_view text);

    /// As above, with the error in `ec`; the result is then `0.0.0.0:0`.
    static endpoint parse(std::string_view text, std::error_code& ec);

    [[nodiscard]] bool is_v4() const noexcept { return any_.sa_family == AF_INET; }
    [[nodiscard]] bool is_v6() const noexcept { return any_.sa_family == AF_INET6; }
    [[nodiscard]] bool is_local() const noexcept { return any_.sa_family == AF_UNIX; }
    [[nodiscard]] int family() const noexcept { return any_.sa_family; }

    /// The address without port and brackets, or the path of a Unix socket in the form that `local` accepts. A file
    /// whose name begins with `@` is written as `./@name`.
    [[nodiscard]] std::string address() const;
    /// 0 for a Unix socket.
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// In the form that `parse` accepts.
    [[nodiscard]] std::string to_string() const;

    /// For system calls: points into this object.
    [[nodiscard]] const sockaddr* data() const noexcept { return &any_; }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

    /// Orders IPv4 before IPv6 before Unix. IP addresses compare by address, interface and port, Unix sockets by path.
    friend std::strong_ordering operator<=>(const endpoint& left, const endpoint& right) noexcept;
    friend bool operator==(const endpoint& left, const endpoint& right) noexcept { return left <=> right == 0; }

private:
    bool assign(std::string_view address, std::uint16_t port) noexcept;
    std::errc assign_path(std::string_view path) noexcept;
    [[nodiscard]] std::string_view path() const noexcept;

    // All members begin with the address family (a common initial sequence), so `any_.sa_family` may be read whichever
    // member is active.
    union {
        sockaddr any_;
        sockaddr_in v4_;
        sockaddr_in6 v6_;
        sockaddr_un un_;
    };
    socklen_t size_ = sizeof(sockaddr_in);
};

std::ostream& operator<<(std::ostream& out, const endpoint& written);

}  // namespace coir::net
