#include <coir/net/unix_datagram.hpp>

#include "io/polled_fd.hpp"
#include "net/datagram_header.hpp"
#include "net/descriptor_message.hpp"
#include "net/socket_calls.hpp"
#include "net/try_each_millisecond.hpp"
#include "net/unix_path.hpp"

#include <array>
#include <cstring>
#include <sys/socket.h>

namespace coir::net {

namespace {

using detail::datagram_header;
using detail::error_of;
namespace sys = detail::sys;

/// The control buffer for the credentials of the sender. Unrequested descriptors are not received.
class sender_credentials {
public:
    explicit sender_credentials(msghdr& message) noexcept : message_{message} {
        message.msg_control = control_.data();
        message.msg_controllen = control_.size();
    }

    [[nodiscard]] peer_credentials read() const noexcept {
        peer_credentials found{};
        for (cmsghdr* at = CMSG_FIRSTHDR(&message_); at != nullptr; at = CMSG_NXTHDR(&message_, at)) {
            if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_CREDENTIALS) continue;
            ucred sender{};
            std::memcpy(&sender, CMSG_DATA(at), sizeof sender);
            found = {sender.pid, sender.uid, sender.gid};
        }
        return found;
    }

private:
    msghdr& message_;
    // Room for the credentials only: the kernel discards descriptors that do not fit.
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(ucred))> control_{};
};

}  // namespace

// ---- sockets -----------------------------------------------------------------------------------------------------

unix_datagram unix_datagram::make(std::error_code& ec) {
    unix_datagram made{detail::make_socket(AF_UNIX, SOCK_DGRAM, ec)};
    return ec ? unix_datagram{} : std::move(made);
}

unix_datagram unix_datagram::bind(std::string_view path) {
    std::error_code ec;
    unix_datagram made = bind(path, ec);
    if (ec) detail::throw_naming(ec, "unix_datagram::bind to", path);
    return made;
}

unix_datagram unix_datagram::bind(std::string_view path, std::error_code& ec) {
    const endpoint at = detail::at_path(path, ec);
    if (ec) return {};
    unix_datagram made = make(ec);
    if (!ec) ec = detail::set_option(made.native_handle(), SOL_SOCKET, SO_PASSCRED, 1);
    if (!ec) ec = made.file_.bind(made.native_handle(), at, SOCK_DGRAM);
    return ec ? unix_datagram{} : std::move(made);
}

unix_datagram unix_datagram::connect(std::string_view path) {
    std::error_code ec;
    unix_datagram made = connect(path, ec);
    if (ec) detail::throw_naming(ec, "unix_datagram::connect to", path);
    return made;
}

unix_datagram unix_datagram::connect(std::string_view path, std::error_code& ec) {
    const endpoint to = detail::at_path(path, ec);
    if (ec) return {};
    unix_datagram made = make(ec);
    if (!ec) ec = error_of(sys::connect(made.native_handle(), to.data(), to.size()));
    return ec ? unix_datagram{} : std::move(made);
}

std::pair<unix_datagram, unix_datagram> unix_datagram::pair() {
    constexpr char operation[] = "unix_datagram::pair";
    std::array<int, 2> ends{};
    detail::throw_if(error_of(sys::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data())),
                     operation);
    std::pair<unix_datagram, unix_datagram> made{unix_datagram{ends[0]}, unix_datagram{ends[1]}};
    for (const int fd : ends) detail::set_option(fd, SOL_SOCKET, SO_PASSCRED, 1, operation);
    return made;
}

// ---- transfers ---------------------------------------------------------------------------------------------------

void unix_datagram::send(std::span<const std::byte> bytes, deadline until, std::error_code& ec) {
    socket_.send(bytes, until, ec, "unix_datagram::send");
}

void unix_datagram::send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until, std::error_code& ec) {
    detail::scheduler& here = detail::scheduler::enter("unix_datagram::send_to");
    if (socket_.fd() < 0) {
        ec = std::make_error_code(std::errc::bad_file_descriptor);
        return;
    }
    ec = socket_.yield_if_due(here, detail::direction::write);
    if (ec) return;
    datagram_header sent;
    msghdr header{};
    sent.hold(bytes, header);
    datagram_header::address(to, header);
    detail::try_each_millisecond(socket_, until, ec, [&](int fd) { return sys::sendmsg(fd, &header, MSG_NOSIGNAL); });
}

unix_datagram_received unix_datagram::receive_from(std::span<std::byte> into, deadline until, std::error_code& ec) {
    datagram_header received;
    msghdr header{};
    received.hold(into, header);
    received.ask_for_sender(header);
    const sender_credentials credentials{header};
    const std::size_t bytes = socket_.receive(header, until, ec, "unix_datagram::receive_from");
    if (ec) return {};
    return {received.opened(into, bytes, header), credentials.read()};
}

void unix_datagram::send_descriptor(int descriptor, deadline until) {
    std::error_code ec;
    send_descriptor(descriptor, until, ec);
    detail::throw_if(ec, "unix_datagram::send_descriptor", descriptor);
}

void unix_datagram::send_descriptor(int descriptor, deadline until, std::error_code& ec) {
    detail::send_descriptor(socket_, descriptor, until, ec, "unix_datagram::send_descriptor");
}

int unix_datagram::receive_descriptor(deadline until) {
    std::error_code ec;
    const int received = receive_descriptor(until, ec);
    detail::throw_if(ec, "unix_datagram::receive_descriptor");
    return received;
}

int unix_datagram::receive_descriptor(deadline until, std::error_code& ec) {
    return detail::receive_descriptor(socket_, until, ec, "unix_datagram::receive_descriptor");
}

// ---- life --------------------------------------------------------------------------------------------------------

endpoint unix_datagram::local_endpoint() const {
    return detail::socket_name(native_handle(), sys::getsockname, "unix_datagram::local_endpoint");
}

void unix_datagram::close() noexcept {
    file_.remove();
    socket_.close();
}

unix_datagram& unix_datagram::operator=(unix_datagram&& other) noexcept {
    if (this == &other) return *this;
    close();
    socket_ = std::move(other.socket_);
    file_ = std::move(other.file_);
    return *this;
}

}  // namespace coir::net
