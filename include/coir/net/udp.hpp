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
    bool reuse_port = false;  // SO_REUSEPORT: several sockets share the port, and the system spreads the peers
    bool v6_only = false;     // IPV6_V6ONLY: `[::]` takes IPv4 as well unless it is set
};

/// Datagrams (udp(7)), to and from anyone, or with `connect` one peer alone. Move-only; the destructor closes it. Who
/// may use it when is as with a `stream`, and so are the errors of its calls; a datagram is sent and received whole or,
/// when the call is cut short, not at all. What the network loses is lost.
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
    /// A closed one.
    udp_socket() noexcept = default;

    /// Port 0 takes a free one (`local_endpoint`). Throws `std::system_error` naming the endpoint: `address_in_use`,
    /// `address_not_available`, `permission_denied`.
    static udp_socket bind(const endpoint& at, udp_options options = {});
    static udp_socket bind(const endpoint& at, udp_options options, std::error_code& ec);

    /// Sends to this peer and receives from no other. Never waits, and says nothing of whether anyone is there: a later
    /// call may, by `connection_refused`. Throws `std::system_error` naming the endpoint.
    static udp_socket connect(const endpoint& to);
    static udp_socket connect(const endpoint& to, std::error_code& ec);

    /// `message_size` when it is too large for a datagram.
    void send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until = never) {
        std::error_code ec;
        send_to(bytes, to, until, ec);
        detail::throw_if(ec, "udp_socket::send_to");
    }
    void send_to(std::string_view text, const endpoint& to, deadline until = never) {
        send_to(std::as_bytes(std::span{text}), to, until);
    }
    void send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until, std::error_code& ec);

    /// Waits for a datagram. Its bytes are those of `into` that it took.
    [[nodiscard]] datagram receive_from(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const datagram received = receive_from(into, until, ec);
        detail::throw_if(ec, "udp_socket::receive_from");
        return received;
    }
    [[nodiscard]] datagram receive_from(std::span<std::byte> into, deadline until, std::error_code& ec);

    /// To and from the peer that it is connected to. What does not fit `into` is lost.
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

    /// Waits for one datagram, and takes with the same system call those that have come with it (recvmmsg(2)): how many
    /// of `into`, which names the places, were filled. At most 32 a call.
    [[nodiscard]] std::size_t receive_batch(std::span<datagram> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = receive_batch(into, until, ec);
        detail::throw_if(ec, "udp_socket::receive_batch");
        return n;
    }
    [[nodiscard]] std::size_t receive_batch(std::span<datagram> into, deadline until, std::error_code& ec);

    /// Sends all of them to their peers, up to 32 with one system call (sendmmsg(2)). How many, also in front of an
    /// error; a stop or a scope that comes between two such calls does not say how many.
    void send_batch(std::span<const datagram> all, deadline until = never) {
        std::error_code ec;
        send_batch(all, until, ec);
        detail::throw_if(ec, "udp_socket::send_batch");
    }
    std::size_t send_batch(std::span<const datagram> all, deadline until, std::error_code& ec);

    /// Sends `bytes` as datagrams of `segment` bytes each, the last one with the rest. The kernel or the network card
    /// cuts them where it can (UDP_SEGMENT, Linux 4.18), up to 64 a system call; elsewhere, and where they are larger
    /// than the network takes in one piece, they go by batches. `invalid_argument` for a segment of 0. How many bytes
    /// were sent, also in front of an error.
    void send_segments(std::span<const std::byte> bytes, std::size_t segment, const endpoint& to,
                       deadline until = never) {
        std::error_code ec;
        send_segments(bytes, segment, to, until, ec);
        detail::throw_if(ec, "udp_socket::send_segments");
    }
    std::size_t send_segments(std::span<const std::byte> bytes, std::size_t segment, const endpoint& to, deadline until,
                              std::error_code& ec);

    /// Takes part in a group (ip(7): IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP), on the interface of the default route or,
    /// for IPv6, of the group's scope (`ff02::1%eth0`): what is sent to `group` at the port that the socket is bound to
    /// comes here too. `invalid_argument` when it is no multicast address.
    void join_multicast(const endpoint& group);
    void leave_multicast(const endpoint& group);

    /// On: `send_to` may go to all of a network (SO_BROADCAST); off, that is `permission_denied`.
    void set_broadcast(bool on);

    /// As those of a `stream`. What comes while the receive buffer is full is lost.
    void set_send_buffer(std::size_t bytes);
    void set_receive_buffer(std::size_t bytes);
    [[nodiscard]] std::size_t send_buffer() const;
    [[nodiscard]] std::size_t receive_buffer() const;

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Gives the descriptor away: open, non-blocking. Ends waits as `close` does; -1 when the socket is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }
    [[nodiscard]] endpoint local_endpoint() const;
    /// `not_connected` where there is no one peer.
    [[nodiscard]] endpoint remote_endpoint() const;

private:
    explicit udp_socket(int made) noexcept : socket_{made} {}

    std::size_t send_cut(std::span<const std::byte> bytes, std::uint16_t segment, const endpoint& to,
                         const deadline& until, std::error_code& ec);

    detail::socket socket_;
};

}  // namespace coir::net
