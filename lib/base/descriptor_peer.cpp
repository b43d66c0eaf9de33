#include "base/descriptor_peer.hpp"

#include "base/printable.hpp"
#include "base/sys.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace coir::detail {

namespace {

std::string internet_address(int family, const void* address, in_port_t port) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, address, text.data(), text.size());
    const std::string host{text.data()};
    return (family == AF_INET6 ? '[' + host + ']' : host) + ':' + std::to_string(ntohs(port));
}

std::string describe(const sockaddr_storage& address, socklen_t bytes, bool is_stream) {
    if (address.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(address);
        return (is_stream ? "tcp " : "udp ") + internet_address(AF_INET, &four.sin_addr, four.sin_port);
    }
    if (address.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
        return (is_stream ? "tcp " : "udp ") + internet_address(AF_INET6, &six.sin6_addr, six.sin6_port);
    }
    if (address.ss_family != AF_UNIX) return {};
    const auto& local = reinterpret_cast<const sockaddr_un&>(address);
    std::string path{local.sun_path, bytes - offsetof(sockaddr_un, sun_path)};
    if (path.empty()) return "unix";
    if (path.front() == '\0')
        path.front() = '@';
    else
        path = path.c_str();  // without the terminating zero
    return "unix " + printable(path);
}

int option(int fd, int which) noexcept {
    int value = 0;
    socklen_t bytes = sizeof value;
    return sys::getsockopt(fd, SOL_SOCKET, which, &value, &bytes) == 0 ? value : 0;
}

}  // namespace

std::string describe_peer(int fd) {
    const bool listens = option(fd, SO_ACCEPTCONN) != 0;
    sockaddr_storage address{};
    socklen_t bytes = sizeof address;
    auto* const into = reinterpret_cast<sockaddr*>(&address);
    if ((listens ? sys::getsockname(fd, into, &bytes) : sys::getpeername(fd, into, &bytes)) != 0) return {};
    const std::string found =
        describe(address, std::min<socklen_t>(bytes, sizeof address), option(fd, SO_TYPE) == SOCK_STREAM);
    return listens && !found.empty() ? "listening on " + found : found;
}

}  // namespace coir::detail
