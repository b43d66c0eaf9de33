#include <coir/error.hpp>
#include <coir/net/resolve.hpp>
#include <coir/net/tcp.hpp>
#include <coir/task_group.hpp>

#include "base/log.hpp"
#include "base/sys.hpp"
#include "net/happy_eyeballs.hpp"
#include "net/serve.hpp"
#include "net/socket_calls.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <netinet/tcp.h>
#include <string>
#include <utility>
#include <vector>

namespace coir::net {

namespace {

using detail::error_of;
using detail::make_internet_socket;
using detail::option;
using detail::set_option;
using detail::socket_name;
namespace sys = detail::sys;

/// The nearest value: the system refuses what is too large, and would accept what was cut off.
int as_int(std::int64_t count) noexcept { return static_cast<int>(std::clamp<std::int64_t>(count, INT_MIN, INT_MAX)); }

}  // namespace

// ---- streams -----------------------------------------------------------------------------------------------------

tcp_stream tcp_stream::connect(const endpoint& to, deadline until) {
    std::error_code ec;
    tcp_stream made = connect(to, until, ec);
    if (ec) detail::throw_error(ec, "tcp_stream::connect to " + to.to_string());
    return made;
}

tcp_stream tcp_stream::connect(const endpoint& to, deadline until, std::error_code& ec) {
    const int fd = make_internet_socket(to, SOCK_STREAM, ec);
    if (ec) return {};
    tcp_stream made{fd};
    made.socket_.connect(to.data(), to.size(), until, ec, "tcp_stream::connect");
    if (!ec) ec = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return ec ? tcp_stream{} : std::move(made);
}

tcp_stream tcp_stream::connect(std::string_view host, std::uint16_t port, deadline until) {
    std::error_code ec;
    tcp_stream made = connect(host, port, until, ec);
    if (ec) detail::throw_error(ec, "tcp_stream::connect to " + std::string{host} + " port " + std::to_string(port));
    return made;
}

tcp_stream tcp_stream::connect(std::string_view host, std::uint16_t port, deadline until, std::error_code& ec) {
    const std::vector<endpoint> found = resolve(host, std::to_string(port), until, ec);
    return ec ? tcp_stream{} : connect(detail::interleaved(found), until, ec);
}

tcp_stream tcp_stream::connect(std::span<const endpoint> candidates, deadline until, std::error_code& ec) {
    if (candidates.size() == 1) return connect(candidates.front(), until, ec);
    tcp_stream winner;
    ec = detail::race(candidates, until, [&](const endpoint& to) {
        std::error_code failure;
        tcp_stream made = connect(to, until, failure);
        if (!failure && !winner.is_open()) winner = std::move(made);
        return failure;
    });
    return winner;
}

endpoint tcp_stream::local_endpoint() const {
    return socket_name(socket_.fd(), sys::getsockname, "tcp_stream::local_endpoint");
}

endpoint tcp_stream::remote_endpoint() const {
    return socket_name(socket_.fd(), sys::getpeername, "tcp_stream::remote_endpoint");
}

endpoint tcp_stream::remote_endpoint(std::error_code& ec) const noexcept {
    return socket_name(socket_.fd(), sys::getpeername, ec);
}

// ---- options -----------------------------------------------------------------------------------------------------

void tcp_stream::set_no_delay(bool on) {
    set_option(native_handle(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0, "tcp_stream::set_no_delay");
}

bool tcp_stream::no_delay() const {
    return option(native_handle(), IPPROTO_TCP, TCP_NODELAY, "tcp_stream::no_delay") != 0;
}

void tcp_stream::set_cork(bool on) {
    set_option(native_handle(), IPPROTO_TCP, TCP_CORK, on ? 1 : 0, "tcp_stream::set_cork");
}

void tcp_stream::set_keep_alive(std::optional<keep_alive> when) {
    constexpr char operation[] = "tcp_stream::set_keep_alive";
    const int fd = native_handle();
    if (when) {
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, as_int(when->idle.count()), operation);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, as_int(when->interval.count()), operation);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, when->probes, operation);
    }
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, when ? 1 : 0, operation);
}

std::optional<keep_alive> tcp_stream::keep_alive_settings() const {
    constexpr char operation[] = "tcp_stream::keep_alive_settings";
    const int fd = native_handle();
    if (option(fd, SOL_SOCKET, SO_KEEPALIVE, operation) == 0) return std::nullopt;
    return keep_alive{std::chrono::seconds{option(fd, IPPROTO_TCP, TCP_KEEPIDLE, operation)},
                      std::chrono::seconds{option(fd, IPPROTO_TCP, TCP_KEEPINTVL, operation)},
                      option(fd, IPPROTO_TCP, TCP_KEEPCNT, operation)};
}

void tcp_stream::set_user_timeout(std::chrono::milliseconds longest) {
    const int count = std::max(0, as_int(longest.count()));
    set_option(native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, count, "tcp_stream::set_user_timeout");
}

std::chrono::milliseconds tcp_stream::user_timeout() const {
    return std::chrono::milliseconds{
        option(native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, "tcp_stream::user_timeout")};
}

void tcp_stream::set_reset_on_close(bool on) {
    const linger value{on ? 1 : 0, 0};
    detail::throw_if(error_of(sys::setsockopt(native_handle(), SOL_SOCKET, SO_LINGER, &value, sizeof value)),
                     "tcp_stream::set_reset_on_close");
}

// ---- listeners ---------------------------------------------------------------------------------------------------

tcp_listener tcp_listener::bind(const endpoint& at, listen_options options) {
    std::error_code ec;
    tcp_listener made = bind(at, options, ec);
    if (ec) detail::throw_error(ec, "tcp_listener::bind to " + at.to_string());
    return made;
}

tcp_listener tcp_listener::bind(const endpoint& at, listen_options options, std::error_code& ec) {
    const int fd = make_internet_socket(at, SOCK_STREAM, ec);
    if (ec) return {};
    tcp_listener made{fd};
    ec = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!ec && options.reuse_port) ec = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!ec && at.is_v6()) ec = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0);
    // Connections inherit it: one call here saves one for each of them.
    if (!ec) ec = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!ec) ec = error_of(sys::bind(fd, at.data(), at.size()));
    if (!ec) ec = error_of(sys::listen(fd, options.backlog));
    return ec ? tcp_listener{} : std::move(made);
}

tcp_listener tcp_listener::adopt(int listening) {
    const std::string operation = "tcp_listener::adopt of descriptor " + std::to_string(listening);
    const char* const what = operation.c_str();
    const bool is_listening = option(listening, SOL_SOCKET, SO_ACCEPTCONN, what) != 0;
    const int family = option(listening, SOL_SOCKET, SO_DOMAIN, what);
    const int protocol = option(listening, SOL_SOCKET, SO_PROTOCOL, what);
    if (!is_listening || (family != AF_INET && family != AF_INET6) || protocol != IPPROTO_TCP) {
        detail::throw_error(std::make_error_code(std::errc::invalid_argument),
                            operation + ": not a listening TCP socket");
    }
    detail::throw_if(error_of(sys::set_nonblocking(listening)), operation);
    detail::throw_if(error_of(sys::set_close_on_exec(listening)), operation);
    set_option(listening, IPPROTO_TCP, TCP_NODELAY, 1, what);
    return tcp_listener{listening, detail::sharing::processes};
}

tcp_stream tcp_listener::accept(deadline until, std::error_code& ec) {
    const int fd = socket_.accept(until, ec, "tcp_listener::accept");
    return ec ? tcp_stream{} : tcp_stream{fd};
}

endpoint tcp_listener::local_endpoint() const {
    return socket_name(socket_.fd(), sys::getsockname, "tcp_listener::local_endpoint");
}

void tcp_listener::serve(const std::function<void(tcp_stream)>& handler, deadline until) {
    detail::serve<tcp_stream>(*this, socket_, handler, detail::connections_unlimited, until, "tcp_listener::serve",
                              __builtin_return_address(0));
}

void tcp_listener::serve(limit most, const std::function<void(tcp_stream)>& handler, deadline until) {
    detail::serve<tcp_stream>(*this, socket_, handler, most.at_once, until, "tcp_listener::serve",
                              __builtin_return_address(0));
}

}  // namespace coir::net
