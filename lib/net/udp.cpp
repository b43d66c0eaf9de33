#include <coir/io/byte_stream.hpp>
#include <coir/net/udp.hpp>

#include "io/polled_fd.hpp"
#include "net/datagram_header.hpp"
#include "net/socket_calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/udp.h>
#include <string>
#include <sys/socket.h>

namespace coir::net {

namespace {

using detail::datagram_header;
using detail::error_of;
using detail::make_internet_socket;
using detail::socket_name;
namespace sys = detail::sys;

constexpr std::size_t batch_max = 32;  // needs 7 KiB of a fiber's stack

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
    if (!ec && at.is_v6()) ec = detail::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0);
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
    const auto send = [&] {
        return sys::sendto(native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL, to.data(), to.size());
    };
    socket_.write_by(send, until, ec, "udp_socket::send_to");
}

datagram udp_socket::receive_from(std::span<std::byte> into, deadline until, std::error_code& ec) {
    sockaddr_storage from;
    auto* const sender = reinterpret_cast<sockaddr*>(&from);
    socklen_t size = 0;
    const auto receive = [&] {
        size = sizeof from;
        return sys::recvfrom(native_handle(), into.data(), into.size(), MSG_TRUNC, sender, &size);
    };
    // MSG_TRUNC: the result is the full size of the datagram (recv(2)).
    const std::size_t bytes = socket_.read_by(receive, until, ec, "udp_socket::receive_from");
    if (ec) return {};
    return {into.first(std::min(bytes, into.size())), endpoint{sender, size}, bytes > into.size()};
}

void udp_socket::send(std::span<const std::byte> bytes, deadline until, std::error_code& ec) {
    socket_.send(bytes, until, ec, "udp_socket::send");
}

std::size_t udp_socket::receive(std::span<std::byte> into, deadline until, std::error_code& ec) {
    const auto receive = [&] { return sys::recv(native_handle(), into.data(), into.size(), 0); };
    return socket_.read_by(receive, until, ec, "udp_socket::receive");
}

// ---- batches -----------------------------------------------------------------------------------------------------

std::size_t udp_socket::receive_batch(std::span<datagram> into, deadline until, std::error_code& ec) {
    std::array<datagram_header, batch_max> headers;
    std::array<mmsghdr, batch_max> messages{};
    const std::size_t most = std::min(into.size(), batch_max);
    ec.clear();
    if (most == 0) return 0;
    for (std::size_t i = 0; i < most; ++i) {
        headers[i].hold(into[i].bytes, messages[i].msg_hdr);
        headers[i].ask_for_sender(messages[i].msg_hdr);
    }
    const std::size_t count = socket_.receive(std::span{messages}.first(most), until, ec, "udp_socket::receive_batch");
    for (std::size_t i = 0; i < count; ++i) {
        into[i] = headers[i].opened(into[i].bytes, messages[i].msg_len, messages[i].msg_hdr);
    }
    return count;
}

std::size_t udp_socket::send_batch(std::span<const datagram> all, deadline until, std::error_code& ec) {
    std::size_t sent = 0;
    ec.clear();
    while (sent < all.size() && !ec) {
        const auto next = all.subspan(sent, std::min(all.size() - sent, batch_max));
        std::array<datagram_header, batch_max> headers;
        std::array<mmsghdr, batch_max> messages{};
        for (std::size_t i = 0; i < next.size(); ++i) {
            headers[i].hold(next[i].bytes, messages[i].msg_hdr);
            datagram_header::address(next[i].peer, messages[i].msg_hdr);
        }
        sent += socket_.send(std::span{messages}.first(next.size()), until, ec, "udp_socket::send_batch");
    }
    return sent;
}

// ---- segments ----------------------------------------------------------------------------------------------------

namespace {

/// Older kernels ignore an unknown control message and would send one large datagram, so support is tested first.
bool has_segmentation(int fd) noexcept {
    int segment = 0;
    socklen_t size = sizeof segment;
    return sys::getsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, &size) == 0;
}

/// Whether segmentation is not possible here, so that batches must be used: the network card computes no checksums
/// (EIO), or the data is too large for one piece (EINVAL, EMSGSIZE).
bool is_refusal(const std::error_code& ec) noexcept {
    return ec == std::errc::io_error || ec == std::errc::invalid_argument || ec == std::errc::message_size;
}

/// The control message with the segment size (udp(7)).
class segmentation {
public:
    segmentation(std::uint16_t bytes, msghdr& header) noexcept {
        header.msg_control = control_.data();
        header.msg_controllen = control_.size();
        cmsghdr* const entry = CMSG_FIRSTHDR(&header);
        entry->cmsg_level = SOL_UDP;
        entry->cmsg_type = UDP_SEGMENT;
        entry->cmsg_len = CMSG_LEN(sizeof bytes);
        std::memcpy(CMSG_DATA(entry), &bytes, sizeof bytes);
    }

private:
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control_{};
};

}  // namespace

std::size_t udp_socket::send_segments(std::span<const std::byte> bytes, std::size_t segment, const endpoint& to,
                                      deadline until, std::error_code& ec) {
    constexpr std::size_t datagram_max = 65'507;  // 65,535 bytes minus the headers of IPv4 and UDP
    constexpr std::size_t segments_max = 64;      // UDP_MAX_SEGMENTS of linux/udp.h
    if (segment == 0 || segment > datagram_max) {
        ec = std::make_error_code(segment == 0 ? std::errc::invalid_argument : std::errc::message_size);
        return 0;
    }
    const std::size_t at_once = std::min(segments_max, datagram_max / segment) * segment;
    bool by_kernel = has_segmentation(native_handle());
    return detail::transfer_all(bytes.size(), ec, [&](std::size_t done) {
        const auto next = bytes.subspan(done, std::min(at_once, bytes.size() - done));
        if (by_kernel) {
            const std::size_t sent = send_cut(next, static_cast<std::uint16_t>(segment), to, until, ec);
            if (!is_refusal(ec)) return sent;
            by_kernel = false;
        }
        std::array<datagram, batch_max> cut;
        std::size_t count = 0;
        for (std::size_t from = 0; from < next.size() && count < cut.size(); from += segment, ++count) {
            const auto piece = next.subspan(from, std::min(segment, next.size() - from));
            cut[count] = {{const_cast<std::byte*>(piece.data()), piece.size()}, to};  // the data is only read
        }
        return std::min(next.size(), send_batch(std::span{cut}.first(count), until, ec) * segment);
    });
}

std::size_t udp_socket::send_cut(std::span<const std::byte> bytes, std::uint16_t segment, const endpoint& to,
                                 const deadline& until, std::error_code& ec) {
    datagram_header sent;
    msghdr header{};
    sent.hold(bytes, header);
    datagram_header::address(to, header);
    const segmentation cut{segment, header};
    return socket_.send(header, until, ec, "udp_socket::send_segments");
}

// ---- options -----------------------------------------------------------------------------------------------------

namespace {

void change_membership(int fd, const endpoint& group, bool joins, const char* operation) {
    long done = -EAFNOSUPPORT;
    if (group.is_v4()) {
        ip_mreqn request{};
        request.imr_multiaddr = reinterpret_cast<const sockaddr_in*>(group.data())->sin_addr;
        const int option = joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
        done = sys::setsockopt(fd, IPPROTO_IP, option, &request, sizeof request);
    } else if (group.is_v6()) {
        const auto& address = *reinterpret_cast<const sockaddr_in6*>(group.data());
        const ipv6_mreq request{address.sin6_addr, address.sin6_scope_id};
        const int option = joins ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP;
        done = sys::setsockopt(fd, IPPROTO_IPV6, option, &request, sizeof request);
    }
    if (done < 0) detail::throw_error(error_of(done), std::string{operation} + " " + group.to_string());
}

}  // namespace

void udp_socket::join_multicast(const endpoint& group) {
    change_membership(native_handle(), group, true, "udp_socket::join_multicast");
}

void udp_socket::leave_multicast(const endpoint& group) {
    change_membership(native_handle(), group, false, "udp_socket::leave_multicast");
}

void udp_socket::set_broadcast(bool on) {
    detail::set_option(native_handle(), SOL_SOCKET, SO_BROADCAST, on ? 1 : 0, "udp_socket::set_broadcast");
}

void udp_socket::set_send_buffer(std::size_t bytes) {
    detail::set_buffer(native_handle(), SO_SNDBUF, bytes, "udp_socket::set_send_buffer");
}

void udp_socket::set_receive_buffer(std::size_t bytes) {
    detail::set_buffer(native_handle(), SO_RCVBUF, bytes, "udp_socket::set_receive_buffer");
}

std::size_t udp_socket::send_buffer() const {
    return detail::buffer(native_handle(), SO_SNDBUF, "udp_socket::send_buffer");
}

std::size_t udp_socket::receive_buffer() const {
    return detail::buffer(native_handle(), SO_RCVBUF, "udp_socket::receive_buffer");
}

endpoint udp_socket::local_endpoint() const {
    return socket_name(native_handle(), sys::getsockname, "udp_socket::local_endpoint");
}

endpoint udp_socket::remote_endpoint() const {
    return socket_name(native_handle(), sys::getpeername, "udp_socket::remote_endpoint");
}

}  // namespace coir::net
