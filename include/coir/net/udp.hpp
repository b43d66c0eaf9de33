#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/net/datagram.hpp>
#include <coir/net/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

namespace coir::net {

struct udp_options {
    bool reuse_port = false;  // SO_REUSEPORT: several sockets share the port; the system distributes the peers
    bool v6_only = false;     // IPV6_V6ONLY: if false, `[::]` receives IPv4 as well
};

/// A UDP socket (udp(7)). It exchanges datagrams with any peer, or, after `connect`, with one peer only. Move-only; the
/// destructor closes it. The rules for concurrent use and the errors of its calls are those of a `stream`. A datagram
/// is sent or received completely, or, if the call is cut short, not at all. Datagrams that the network loses are not
/// sent again.
///
/// @code
/// auto server = coir::net::udp_socket::bind({"127.0.0.1", 0});
/// auto echo = coir::spawn([&] {
///     std::array<std::byte, 1500> buffer;
///     const auto asked = server.receive_from(buffer);
///     server.send_to(asked.bytes, asked.peer);
/// });
/// auto client = coir::net::udp_socket::connect(server.local_endpoint());
/// client.send("ping");
/// std::array<std::byte, 1500> answer;
/// if (client.receive(answer) != 4) throw std::logic_error{"echo"};
/// @endcode
class udp_socket {
public:
    /// A closed socket.
    udp_socket() noexcept = default;

    /// Port 0 selects a free port (see `local_endpoint`). Throws `std::system_error` naming the endpoint:
    /// `address_in_use`, `address_not_available`, `permission_denied`.
    static udp_socket bind(const endpoint& at, udp_options options = {});
    static udp_socket bind(const endpoint& at, udp_options options, std::error_code& ec);

    /// Creates a socket that sends to this peer and receives from no other. Never waits, and does not check that the
    /// peer exists; a later call may fail with `connection_refused`. Throws `std::system_error` naming the endpoint.
    static udp_socket connect(const endpoint& to);
    static udp_socket connect(const endpoint& to, std::error_code& ec);

    /// Throws `message_size` if the data is too large for a datagram.
    void send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until = never) {
        std::error_code ec;
        send_to(bytes, to, until, ec);
        detail::throw_if(ec, "udp_socket::send_to");
    }
    void send_to(std::string_view text, const endpoint& to, deadline until = never) {
        send_to(std::as_bytes(std::span{text}), to, until);
    }
    void send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until, std::error_code& ec);

    /// Waits for a datagram. `bytes` of the result is the part of `into` that was filled. If `into` is empty, the call
    /// takes a datagram too, and drops its content (recv(2)).
    [[nodiscard]] datagram receive_from(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const datagram received = receive_from(into, until, ec);
        detail::throw_if(ec, "udp_socket::receive_from");
        return received;
    }
    [[nodiscard]] datagram receive_from(std::span<std::byte> into, deadline until, std::error_code& ec);

    /// Send to, and receive from, the connected peer. Bytes of a datagram that do not fit into `into` are lost; if it is
    /// empty, all of them.
    void send(std::span<const std::byte> bytes, deadline until = never) {
        std::error_code ec;
        send(bytes, until, ec);
        detail::throw_if(ec, "udp_socket::send");
    }
    void send(std::string_view text, deadline until = never) { send(std::as_bytes(std::span{text}), until); }
    void send(std::span<const std::byte> bytes, deadline until, std::error_code& ec);
    [[nodiscard]] std::size_t receive(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = receive(into, until, ec);
        detail::throw_if(ec, "udp_socket::receive");
        return n;
    }
    [[nodiscard]] std::size_t receive(std::span<std::byte> into, deadline until, std::error_code& ec);

    /// Waits for a datagram, and receives with the same system call (recvmmsg(2)) those that have arrived with it.
    /// Before the call, `bytes` of each element must name its buffer. Returns how many elements of `into` were filled.
    /// At most 32 per call; 0 at once if `into` is empty.
    [[nodiscard]] std::size_t receive_batch(std::span<datagram> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = receive_batch(into, until, ec);
        detail::throw_if(ec, "udp_socket::receive_batch");
        return n;
    }
    [[nodiscard]] std::size_t receive_batch(std::span<datagram> into, deadline until, std::error_code& ec);

    /// Sends each datagram to its peer, up to 32 with one system call (sendmmsg(2)). The overload with an error code
    /// returns how many were sent, also if it fails. A stop or a timeout scope that comes between two of these system
    /// calls leaves that number unknown.
    void send_batch(std::span<const datagram> all, deadline until = never) {
        std::error_code ec;
        send_batch(all, until, ec);
        detail::throw_if(ec, "udp_socket::send_batch");
    }
    std::size_t send_batch(std::span<const datagram> all, deadline until, std::error_code& ec);

    /// Sends `bytes` as datagrams of `segment` bytes each; the last one may be shorter. The kernel or the network card
    /// splits them if it can (UDP_SEGMENT, Linux 4.18), up to 64 with one system call. Otherwise, and if the segments
    /// are larger than the network accepts in one piece, they are sent with `send_batch`. Fails with `invalid_argument`
    /// if `segment` is 0. The overload with an error code returns the number of bytes sent, also if it fails.
    void send_segments(std::span<const std::byte> bytes, std::size_t segment, const endpoint& to,
                       deadline until = never) {
        std::error_code ec;
        send_segments(bytes, segment, to, until, ec);
        detail::throw_if(ec, "udp_socket::send_segments");
    }
    std::size_t send_segments(std::span<const std::byte> bytes, std::size_t segment, const endpoint& to, deadline until,
                              std::error_code& ec);

    /// Joins or leaves a multicast group (ip(7): IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP), on the interface of the
    /// default route or, for IPv6, of the scope of the address (`ff02::1%eth0`). A member receives what is sent to
    /// `group` at the port that the socket is bound to. Throws `invalid_argument` if `group` is not a multicast
    /// address.
    void join_multicast(const endpoint& group);
    void leave_multicast(const endpoint& group);

    /// On: `send_to` may send to the broadcast address of a network (SO_BROADCAST). Off: such a send fails with
    /// `permission_denied`.
    void set_broadcast(bool on);

    /// As for a `stream`. Datagrams that arrive while the receive buffer is full are lost.
    void set_send_buffer(std::size_t bytes);
    void set_receive_buffer(std::size_t bytes);
    [[nodiscard]] std::size_t send_buffer() const;
    [[nodiscard]] std::size_t receive_buffer() const;

    /// Closes the socket. Calls in which other fibers are suspended fail with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Returns the descriptor, open and non-blocking, and gives up its ownership. Suspended calls fail as with `close`.
    /// Returns -1 if the socket is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }
    [[nodiscard]] endpoint local_endpoint() const;
    /// Throws `not_connected` if the socket is not connected to a peer.
    [[nodiscard]] endpoint remote_endpoint() const;

private:
    explicit udp_socket(int made) noexcept : socket_{made} {}

    std::size_t send_cut(std::span<const std::byte> bytes, std::uint16_t segment, const endpoint& to,
                         const deadline& until, std::error_code& ec);

    detail::socket socket_;
};

}  // namespace coir::net
