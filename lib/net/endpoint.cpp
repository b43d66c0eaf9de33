#include <coir/detail/base/throw_if.hpp>
#include <coir/net/endpoint.hpp>

#include "base/integer.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <cstring>
#include <net/if.h>
#include <optional>
#include <ostream>

namespace coir::net {

namespace {

constexpr socklen_t before_path = offsetof(sockaddr_un, sun_path);

/// A zero-terminated copy, for C functions. Empty if `text` is too long, or contains a zero byte and so cannot be an
/// address or interface name.
template <std::size_t Size> std::optional<std::array<char, Size>> terminated(std::string_view text) noexcept {
    std::array<char, Size> copy{};
    if (text.size() >= Size || text.find('\0') != text.npos) return std::nullopt;
    text.copy(copy.data(), text.size());
    return copy;
}

/// The index of a network interface; 0 if there is none of that name.
std::uint32_t scope_id(std::string_view interface) noexcept {
    if (const auto index = detail::parse_integer<std::uint32_t>(interface)) return *index;
    const auto name = terminated<IF_NAMESIZE>(interface);
    return name ? ::if_nametoindex(name->data()) : 0;
}

}  // namespace

endpoint::endpoint() noexcept : un_{} {
    v4_ = {};
    v4_.sin_family = AF_INET;
}

endpoint::endpoint(std::string_view address, std::uint16_t port) : endpoint{} {
    if (assign(address, port)) return;
    detail::throw_error(std::make_error_code(std::errc::invalid_argument),
                        "endpoint: '" + std::string{address} + "' is not a numeric IPv4 or IPv6 address");
}

endpoint::endpoint(std::string_view address, std::uint16_t port, std::error_code& ec) noexcept : endpoint{} {
    ec = assign(address, port) ? std::error_code{} : std::make_error_code(std::errc::invalid_argument);
}

endpoint::endpoint(const sockaddr* address, socklen_t size) : endpoint{} {
    if (address->sa_family == AF_INET && size >= sizeof v4_) {
        std::memcpy(&v4_, address, sizeof v4_);
    } else if (address->sa_family == AF_INET6 && size >= sizeof v6_) {
        std::memcpy(&v6_, address, sizeof v6_);
        size_ = sizeof v6_;
    } else if (address->sa_family == AF_UNIX && size >= before_path) {
        // For a path that fills sun_path completely, Linux counts a terminating zero beyond it (unix(7)).
        size_ = std::min<socklen_t>(size, sizeof un_);
        std::memcpy(&un_, address, size_);
    } else {
        detail::throw_error(std::make_error_code(std::errc::address_family_not_supported),
                            "endpoint: the sockaddr is not a complete IPv4, IPv6 or Unix address");
    }
}

endpoint endpoint::local(std::string_view path) {
    endpoint made;
    const std::errc refused = made.assign_path(path);
    if (refused != std::errc{}) {
        detail::throw_error(std::make_error_code(refused),
                            "endpoint::local of '" + std::string{path} +
                                "': a path must have at most 107 bytes and no NUL, an abstract name 108 bytes");
    }
    return made;
}

/// The size of the address delimits a name in the abstract namespace, which begins with a zero byte. A path ends with a
/// zero byte, which is counted.
std::errc endpoint::assign_path(std::string_view path) noexcept {
    const bool is_abstract = path.starts_with('@');
    if (!is_abstract && path.find('\0') != path.npos) return std::errc::invalid_argument;
    if (path.size() > sizeof un_.sun_path - (is_abstract ? 0 : 1)) return std::errc::filename_too_long;
    un_ = {};
    un_.sun_family = AF_UNIX;
    path.copy(un_.sun_path, path.size());
    if (is_abstract) un_.sun_path[0] = '\0';
    const bool ends_with_zero = !path.empty() && !is_abstract;
    size_ = static_cast<socklen_t>(before_path + path.size() + (ends_with_zero ? 1 : 0));
    return {};
}

/// The path as the system stores it: an abstract name begins with a zero byte; the terminating zero is left out.
std::string_view endpoint::path() const noexcept {
    const std::string_view whole{un_.sun_path, size_ - before_path};
    return whole.starts_with('\0') ? whole : whole.substr(0, whole.find('\0'));
}

endpoint endpoint::parse(std::string_view text) {
    std::error_code ec;
    const endpoint parsed = parse(text, ec);
    if (ec) {
        detail::throw_error(ec, "endpoint::parse of '" + std::string{text} +
                                    "': expected <IPv4>:<port>, [<IPv6>]:<port> or unix:<path>");
    }
    return parsed;
}

endpoint endpoint::parse(std::string_view text, std::error_code& ec) {
    constexpr std::string_view unix_prefix = "unix:";
    endpoint parsed;
    if (text.starts_with(unix_prefix)) {
        ec = std::make_error_code(parsed.assign_path(text.substr(unix_prefix.size())));
        return parsed;
    }
    ec = std::make_error_code(std::errc::invalid_argument);
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos) return {};
    std::string_view address = text.substr(0, colon);
    const bool bracketed = address.starts_with('[') && address.ends_with(']');
    if (bracketed) address = address.substr(1, address.size() - 2);
    // Without brackets it is ambiguous where an IPv6 address ends and the port begins.
    if (bracketed != (address.find(':') != address.npos)) return {};

    const auto port = detail::parse_integer<std::uint16_t>(text.substr(colon + 1));
    if (!port || !parsed.assign(address, *port)) return {};
    ec.clear();
    return parsed;
}

bool endpoint::assign(std::string_view address, std::uint16_t port) noexcept {
    const std::size_t percent = address.find('%');
    const auto digits = terminated<INET6_ADDRSTRLEN>(address.substr(0, percent));
    if (!digits) return false;

    in_addr v4{};
    if (percent == address.npos && ::inet_pton(AF_INET, digits->data(), &v4) == 1) {
        v4_ = {};
        v4_.sin_family = AF_INET;
        v4_.sin_addr = v4;
        v4_.sin_port = htons(port);
        size_ = sizeof v4_;
        return true;
    }
    in6_addr v6{};
    if (::inet_pton(AF_INET6, digits->data(), &v6) != 1) return false;
    const std::uint32_t scope = percent == address.npos ? 0 : scope_id(address.substr(percent + 1));
    if (percent != address.npos && scope == 0) return false;
    v6_ = {};
    v6_.sin6_family = AF_INET6;
    v6_.sin6_addr = v6;
    v6_.sin6_scope_id = scope;
    v6_.sin6_port = htons(port);
    size_ = sizeof v6_;
    return true;
}

std::string endpoint::address() const {
    if (is_local()) {
        std::string text{path()};
        // An abstract name is written with '@', so a file that is named like this needs another form.
        if (text.starts_with('@')) text.insert(0, "./");
        if (text.starts_with('\0')) text.front() = '@';
        return text;
    }
    char digits[INET6_ADDRSTRLEN] = "";
    if (is_v4()) return ::inet_ntop(AF_INET, &v4_.sin_addr, digits, sizeof digits);
    std::string text = ::inet_ntop(AF_INET6, &v6_.sin6_addr, digits, sizeof digits);
    if (v6_.sin6_scope_id != 0) text += "%" + std::to_string(v6_.sin6_scope_id);
    return text;
}

std::uint16_t endpoint::port() const noexcept {
    return is_local() ? std::uint16_t{0} : ntohs(is_v4() ? v4_.sin_port : v6_.sin6_port);
}

std::string endpoint::to_string() const {
    if (is_local()) return "unix:" + address();
    const std::string port_text = ":" + std::to_string(port());
    return is_v4() ? address() + port_text : "[" + address() + "]" + port_text;
}

std::strong_ordering operator<=>(const endpoint& left, const endpoint& right) noexcept {
    const auto rank = [](const endpoint& of) { return of.is_v4() ? 0 : of.is_v6() ? 1 : 2; };
    if (rank(left) != rank(right)) return rank(left) <=> rank(right);
    if (left.is_local()) return left.path() <=> right.path();
    if (left.is_v4()) {
        const int order = std::memcmp(&left.v4_.sin_addr, &right.v4_.sin_addr, sizeof left.v4_.sin_addr);
        if (order != 0) return order <=> 0;
    } else {
        const int order = std::memcmp(&left.v6_.sin6_addr, &right.v6_.sin6_addr, sizeof left.v6_.sin6_addr);
        if (order != 0) return order <=> 0;
        if (left.v6_.sin6_scope_id != right.v6_.sin6_scope_id)
            return left.v6_.sin6_scope_id <=> right.v6_.sin6_scope_id;
    }
    return left.port() <=> right.port();
}

std::ostream& operator<<(std::ostream& out, const endpoint& written) { return out << written.to_string(); }

}  // namespace coir::net
