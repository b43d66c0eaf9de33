#include <coir/net/unix.hpp>

#include "net/descriptor_message.hpp"
#include "net/serve.hpp"
#include "net/socket_calls.hpp"
#include "net/try_each_millisecond.hpp"
#include "net/unix_path.hpp"

#include <array>
#include <string>
#include <sys/socket.h>

namespace coir::net {

namespace {

using detail::error_of;
using detail::make_socket;
using detail::socket_name;
namespace sys = detail::sys;

}  // namespace

// ---- streams -----------------------------------------------------------------------------------------------------

std::pair<unix_stream, unix_stream> unix_stream::pair() {
    std::array<int, 2> ends{};
    detail::throw_if(error_of(sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data())),
                     "unix_stream::pair");
    return {unix_stream{ends[0]}, unix_stream{ends[1]}};
}

unix_stream unix_stream::connect(std::string_view path, deadline until) {
    std::error_code ec;
    unix_stream made = connect(path, until, ec);
    if (ec) detail::throw_naming(ec, "unix_stream::connect to", path);
    return made;
}

unix_stream unix_stream::connect(std::string_view path, deadline until, std::error_code& ec) {
    const endpoint to = detail::at_path(path, ec);
    if (ec) return {};
    unix_stream made{make_socket(AF_UNIX, SOCK_STREAM, ec)};
    if (ec) return {};
    // connect(2): EAGAIN if the queue of the listener is full.
    detail::try_each_millisecond(made.socket_, until, ec,
                                 [&](int fd) { return sys::connect(fd, to.data(), to.size()); });
    return ec ? unix_stream{} : std::move(made);
}

peer_credentials unix_stream::credentials() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    detail::throw_if(error_of(sys::getsockopt(native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size)),
                     "unix_stream::credentials");
    return {peer.pid, peer.uid, peer.gid};
}

endpoint unix_stream::local_endpoint() const {
    return socket_name(native_handle(), sys::getsockname, "unix_stream::local_endpoint");
}

endpoint unix_stream::remote_endpoint() const {
    return socket_name(native_handle(), sys::getpeername, "unix_stream::remote_endpoint");
}

endpoint unix_stream::remote_endpoint(std::error_code& ec) const noexcept {
    return socket_name(native_handle(), sys::getpeername, ec);
}

// ---- descriptors -------------------------------------------------------------------------------------------------

void unix_stream::send_descriptor(int descriptor, deadline until) {
    std::error_code ec;
    send_descriptor(descriptor, until, ec);
    detail::throw_if(ec, "unix_stream::send_descriptor", descriptor);
}

void unix_stream::send_descriptor(int descriptor, deadline until, std::error_code& ec) {
    detail::send_descriptor(socket_, descriptor, until, ec, "unix_stream::send_descriptor");
}

int unix_stream::receive_descriptor(deadline until) {
    std::error_code ec;
    const int received = receive_descriptor(until, ec);
    detail::throw_if(ec, "unix_stream::receive_descriptor");
    return received;
}

int unix_stream::receive_descriptor(deadline until, std::error_code& ec) {
    return detail::receive_descriptor(socket_, until, ec, "unix_stream::receive_descriptor");
}

// ---- listeners ---------------------------------------------------------------------------------------------------

unix_listener unix_listener::bind(std::string_view path, int backlog) {
    std::error_code ec;
    unix_listener made = bind(path, backlog, ec);
    if (ec) detail::throw_naming(ec, "unix_listener::bind to", path);
    return made;
}

unix_listener unix_listener::bind(std::string_view path, int backlog, std::error_code& ec) {
    const endpoint at = detail::at_path(path, ec);
    if (ec) return {};
    unix_listener made{make_socket(AF_UNIX, SOCK_STREAM, ec)};
    if (ec) return {};
    const int fd = made.native_handle();
    ec = made.file_.bind(fd, at, SOCK_STREAM);
    if (!ec) ec = error_of(sys::listen(fd, backlog));
    return ec ? unix_listener{} : std::move(made);
}

unix_stream unix_listener::accept(deadline until) {
    std::error_code ec;
    unix_stream peer = accept(until, ec);
    detail::throw_if(ec, "unix_listener::accept");
    return peer;
}

unix_stream unix_listener::accept(deadline until, std::error_code& ec) {
    const int fd = socket_.accept(until, ec, "unix_listener::accept");
    return ec ? unix_stream{} : unix_stream{fd};
}

void unix_listener::serve(const std::function<void(unix_stream)>& handler, deadline until) {
    detail::serve<unix_stream>(*this, socket_, handler, detail::connections_unlimited, until, "unix_listener::serve",
                               __builtin_return_address(0));
}

void unix_listener::serve(limit most, const std::function<void(unix_stream)>& handler, deadline until) {
    detail::serve<unix_stream>(*this, socket_, handler, most.at_once, until, "unix_listener::serve",
                               __builtin_return_address(0));
}

endpoint unix_listener::local_endpoint() const {
    return socket_name(native_handle(), sys::getsockname, "unix_listener::local_endpoint");
}

void unix_listener::close() noexcept {
    file_.remove();
    socket_.close();
}

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
    if (this == &other) return *this;
    close();
    socket_ = std::move(other.socket_);
    file_ = std::move(other.file_);
    return *this;
}

}  // namespace coir::net
