#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <coir/net/udp.hpp>
#include <string>

#include "net/socket_calls.hpp"

namespace coir::net {

namespace {

using detail::error_of;
using detail::make_internet_socket;
using detail::name_of;
namespace sys = detail::sys;

constexpr std::size_t batch_max = 32;  // 7 KiB of a fiber's stack

/// The system's form of one datagram: points into itself, and so stays where it is.
class envelope {
public:
    envelope() noexcept = default;
    envelope(const envelope&) = delete;
    envelope& operator=(const envelope&) = delete;

    void hold(std::span<const std::byte> bytes, msghdr& header) noexcept {
        part_ = {const_cast<std::byte*>(bytes.data()), bytes.size()};
        header.msg_iov = &part_;
        header.msg_iovlen = 1;
    }
    /// The kernel only reads the address.
    static void address(const endpoint& to, msghdr& header) noexcept {
        header.msg_name = const_cast<sockaddr*>(to.data());
        header.msg_namelen = to.size();
    }
    void ask_for_sender(msghdr& header) noexcept {
        header.msg_name = &sender_;
        header.msg_namelen = sizeof sender_;
    }

    [[nodiscard]] datagram opened(std::span<std::byte> place, std::size_t bytes, const msghdr& header) const {
        const auto* const sender = reinterpret_cast<const sockaddr*>(&sender_);
        return {place.first(std::min(bytes, place.size())), endpoint{sender, header.msg_namelen},
                (header.msg_flags & MSG_TRUNC) != 0};
    }

private:
    iovec part_{};
    sockaddr_storage sender_{};
};

}  // namespace

udp_socket udp_socket::bind(const endpoint& at, udp_options options) {
    std::error_code ec;
    udp_socket made = bind(at, options, ec);
    if (ec) detail::throw_error(ec, "udp_socket::bind to " + at.to_string());
    return made;
}

udp_socket udp_socket::bind(const endpoint& at, udp_options options, std::error_code& ec) {
    udp_socket made{make_internet_socket(at, SOCK_DGRAM, ec)};
    if (ec) return {};
    const int fd = made.native_handle();
    if (options.reuse_port) ec = detail::set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!ec) ec = error_of(sys::bind(fd, at.data(), at.size()));
    return ec ? udp_socket{} : std::move(made);
}

udp_socket udp_socket::connect(const endpoint& to) {
    std::error_code ec;
    udp_socket made = connect(to, ec);
    if (ec) detail::throw_error(ec, "udp_socket::connect to " + to.to_string());
    return made;
}

udp_socket udp_socket::connect(const endpoint& to, std::error_code& ec) {
    udp_socket made{make_internet_socket(to, SOCK_DGRAM, ec)};
    if (!ec) ec = error_of(sys::connect(made.native_handle(), to.data(), to.size()));
    return ec ? udp_socket{} : std::move(made);
}

// ---- one at a time -----------------------------------------------------------------------------------------------

void udp_socket::send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until, std::error_code& ec) {
    envelope sent;
    msghdr header{};
    sent.hold(bytes, header);
    envelope::address(to, header);
    socket_.send(header, until, ec, "udp_socket::send_to");
}

datagram udp_socket::receive_from(std::span<std::byte> into, deadline until, std::error_code& ec) {
    envelope received;
    msghdr header{};
    received.hold(into, header);
    received.ask_for_sender(header);
    const std::size_t bytes = socket_.receive(header, until, ec, "udp_socket::receive_from");
    return ec ? datagram{} : received.opened(into, bytes, header);
}

void udp_socket::send(std::span<const std::byte> bytes, deadline until, std::error_code& ec) {
    socket_.send(bytes, until, ec, "udp_socket::send");
}

std::size_t udp_socket::receive(std::span<std::byte> into, deadline until, std::error_code& ec) {
    envelope received;
    msghdr header{};
    received.hold(into, header);
    return socket_.receive(header, until, ec, "udp_socket::receive");
}

// ---- batches -----------------------------------------------------------------------------------------------------

std::size_t udp_socket::receive_batch(std::span<datagram> into, deadline until, std::error_code& ec) {
    std::array<envelope, batch_max> envelopes;
    std::array<mmsghdr, batch_max> headers{};
    const std::size_t most = std::min(into.size(), batch_max);
    for (std::size_t i = 0; i < most; ++i) {
        envelopes[i].hold(into[i].bytes, headers[i].msg_hdr);
        envelopes[i].ask_for_sender(headers[i].msg_hdr);
    }
    const std::size_t count = socket_.receive(std::span{headers}.first(most), until, ec, "udp_socket::receive_batch");
    for (std::size_t i = 0; i < count; ++i) {
        into[i] = envelopes[i].opened(into[i].bytes, headers[i].msg_len, headers[i].msg_hdr);
    }
    return count;
}

std::size_t udp_socket::send_batch(std::span<const datagram> all, deadline until, std::error_code& ec) {
    std::size_t sent = 0;
    ec.clear();
    while (sent < all.size() && !ec) {
        const auto next = all.subspan(sent, std::min(all.size() - sent, batch_max));
        std::array<envelope, batch_max> envelopes;
        std::array<mmsghdr, batch_max> headers{};
        for (std::size_t i = 0; i < next.size(); ++i) {
            envelopes[i].hold(next[i].bytes, headers[i].msg_hdr);
            envelope::address(next[i].peer, headers[i].msg_hdr);
        }
        sent += socket_.send(std::span{headers}.first(next.size()), until, ec, "udp_socket::send_batch");
    }
    return sent;
}

endpoint udp_socket::local_endpoint() const {
    return name_of(native_handle(), sys::getsockname, "udp_socket::local_endpoint");
}

endpoint udp_socket::remote_endpoint() const {
    return name_of(native_handle(), sys::getpeername, "udp_socket::remote_endpoint");
}

}  // namespace coir::net
