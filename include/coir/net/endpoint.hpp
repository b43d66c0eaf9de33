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

/// Where a socket is reached: a numeric IPv4 or IPv6 address and a port, or the path of a Unix socket. Names are for
/// `resolve`. A value: no system call is made but to look up the interface in `fe80::1%eth0`.
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
    /// `0.0.0.0:0`: any address of this machine, any port.
    endpoint() noexcept;

    /// Throws `std::system_error` (`invalid_argument`, with the text) when `address` is no numeric address.
    endpoint(std::string_view address, std::uint16_t port);

    /// From what the system calls return. Throws `std::system_error` (`address_family_not_supported`) when it is
    /// neither IPv4, IPv6 nor Unix.
    endpoint(const sockaddr* address, socklen_t size);

    /// A Unix socket (unix(7)): a path in the file system, or with a leading `@` a name in Linux's abstract namespace,
    /// which goes with its socket. Empty: a socket without a name. Throws `std::system_error` (`filename_too_long`)
    /// for more than 107 bytes, and `invalid_argument` when there is a zero byte in it.
    static endpoint local(std::string_view path);

    /// `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, `unix:/run/service`, `unix:@service`.
    static endpoint parse(std::string_view text);

    /// As above; `invalid_argument` or, for a path, `filename_too_long` in `ec`, and `0.0.0.0:0`, when it is none of
    /// these.
    static endpoint parse(std::string_view text, std::error_code& ec);

    [[nodiscard]] bool is_v4() const noexcept { return any_.sa_family == AF_INET; }
    [[nodiscard]] bool is_v6() const noexcept { return any_.sa_family == AF_INET6; }
    [[nodiscard]] bool is_local() const noexcept { return any_.sa_family == AF_UNIX; }
    [[nodiscard]] int family() const noexcept { return any_.sa_family; }

    /// Without the port, and without brackets; the path of a Unix socket, as `local` takes it.
    [[nodiscard]] std::string address() const;
    /// 0 for a Unix socket.
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// As `parse` takes it.
    [[nodiscard]] std::string to_string() const;

    /// For system calls.
    [[nodiscard]] const sockaddr* data() const noexcept { return &any_; }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

    /// IPv4 first, then IPv6, by address, interface and port; then Unix, by path.
    friend std::strong_ordering operator<=>(const endpoint& left, const endpoint& right) noexcept;
    friend bool operator==(const endpoint& left, const endpoint& right) noexcept { return left <=> right == 0; }

private:
    bool assign(std::string_view address, std::uint16_t port) noexcept;
    std::errc assign_path(std::string_view path) noexcept;
    [[nodiscard]] std::string_view path() const noexcept;

    // Each begins with the family, so that `any_` may be read whichever was written (the common initial sequence).
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
