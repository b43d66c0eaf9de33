#include <netinet/tcp.h>

#include <chrono>
#include <coir/error.hpp>
#include <coir/net/resolve.hpp>
#include <coir/net/tcp.hpp>
#include <coir/task_group.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/sys.hpp"
#include "net/happy_eyeballs.hpp"
#include "net/io.hpp"

namespace coir::net {

namespace {

using detail::error_of;
namespace sys = detail::sys;

int make_socket(const endpoint& of, std::error_code& ec) noexcept {
    const long fd = sys::socket(of.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    ec = error_of(fd);
    return static_cast<int>(fd);
}

std::error_code set_option(int fd, int level, int option, int value) noexcept {
    return error_of(sys::setsockopt(fd, level, option, &value, sizeof value));
}

using asks_for_name = long (*)(int, sockaddr*, socklen_t*) noexcept;

endpoint name_of(int fd, asks_for_name ask, std::error_code& ec) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    auto* const address = reinterpret_cast<sockaddr*>(&name);
    ec = error_of(ask(fd, address, &size));
    return ec ? endpoint{} : endpoint{address, size};
}

endpoint name_of(int fd, asks_for_name ask, const char* operation) {
    std::error_code ec;
    const endpoint found = name_of(fd, ask, ec);
    detail::throw_if(ec, operation);
    return found;
}

}  // namespace

// ---- streams -----------------------------------------------------------------------------------------------------

tcp_stream tcp_stream::connect(const endpoint& to, deadline until) {
    std::error_code ec;
    tcp_stream made = connect(to, until, ec);
    if (ec) detail::throw_error(ec, "tcp_stream::connect to " + to.to_string());
    return made;
}

tcp_stream tcp_stream::connect(const endpoint& to, deadline until, std::error_code& ec) {
    const int fd = make_socket(to, ec);
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

void tcp_stream::shutdown(shut which, std::error_code& ec) noexcept {
    ec = error_of(sys::shutdown(socket_.fd(), static_cast<int>(which)));
}

endpoint tcp_stream::local_endpoint() const {
    return name_of(socket_.fd(), sys::getsockname, "tcp_stream::local_endpoint");
}

endpoint tcp_stream::remote_endpoint() const {
    return name_of(socket_.fd(), sys::getpeername, "tcp_stream::remote_endpoint");
}

endpoint tcp_stream::remote_endpoint(std::error_code& ec) const noexcept {
    return name_of(socket_.fd(), sys::getpeername, ec);
}

void tcp_stream::set_no_delay(bool on) {
    detail::throw_if(set_option(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0), "tcp_stream::set_no_delay");
}

// ---- listeners ---------------------------------------------------------------------------------------------------

tcp_listener tcp_listener::bind(const endpoint& at, listen_options options) {
    std::error_code ec;
    tcp_listener made = bind(at, options, ec);
    if (ec) detail::throw_error(ec, "tcp_listener::bind to " + at.to_string());
    return made;
}

tcp_listener tcp_listener::bind(const endpoint& at, listen_options options, std::error_code& ec) {
    const int fd = make_socket(at, ec);
    if (ec) return {};
    tcp_listener made{fd};
    ec = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!ec && options.reuse_port) ec = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    // Connections inherit it: one call here saves one for each of them.
    if (!ec) ec = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!ec) ec = error_of(sys::bind(fd, at.data(), at.size()));
    if (!ec) ec = error_of(sys::listen(fd, options.backlog));
    return ec ? tcp_listener{} : std::move(made);
}

tcp_stream tcp_listener::accept(deadline until, std::error_code& ec) {
    const int fd = socket_.accept(until, ec, "tcp_listener::accept");
    return ec ? tcp_stream{} : tcp_stream{fd};
}

endpoint tcp_listener::local_endpoint() const {
    return name_of(socket_.fd(), sys::getsockname, "tcp_listener::local_endpoint");
}

// ---- serving -----------------------------------------------------------------------------------------------------

namespace {

constexpr std::chrono::milliseconds rest_without_descriptors{50};

/// accept(2): the process or the system has as many descriptors as it may have, or no memory for one more.
bool is_shortage(const std::error_code& ec) noexcept {
    return ec == std::errc::too_many_files_open || ec == std::errc::too_many_files_open_in_system ||
           ec == std::errc::no_buffer_space || ec == std::errc::not_enough_memory;
}

bool is_peer_gone(const std::error_code& ec) noexcept {
    return ec == std::errc::connection_reset || ec == std::errc::broken_pipe;
}

void report_failure() noexcept { detail::scheduler::current()->report_unhandled(std::current_exception()); }

void attend(const std::function<void(tcp_stream)>& handler, tcp_stream peer) {
    try {
        handler(std::move(peer));
    } catch (const cancelled&) { throw; } catch (const std::system_error& failure) {
        if (!is_peer_gone(failure.code())) report_failure();
    } catch (...) { report_failure(); }
}

}  // namespace

void tcp_listener::serve(const std::function<void(tcp_stream)>& handler, deadline until) {
    const bool was_open = is_open();
    bool shortage_is_known = false;
    task_group connections;
    for (;;) {
        std::error_code ec;
        tcp_stream peer = accept(until, ec);
        if (!ec) {
            std::error_code gone;
            const endpoint from = peer.remote_endpoint(gone);
            const std::string name = gone ? "" : from.to_string();
            connections.spawn({.name = name},
                              [&handler, peer = std::move(peer)]() mutable { attend(handler, std::move(peer)); });
        } else if (was_open && !is_open()) {
            connections.wait();
            return;
        } else if (is_shortage(ec)) {
            if (!std::exchange(shortage_is_known, true)) {
                log::warning("tcp_listener::serve: " + ec.message() + ": new connections have to wait");
            }
            socket_.rest(rest_without_descriptors);
        } else {
            detail::throw_error(ec, "tcp_listener::serve");
        }
    }
}

}  // namespace coir::net
