#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/detail/net/socket_file.hpp>
#include <coir/net/datagram.hpp>
#include <coir/net/endpoint.hpp>
#include <coir/net/unix.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace coir::net {

/// A datagram with the identity of its sender, which the kernel provides, so the sender cannot forge it.
struct unix_datagram_received : datagram {
    peer_credentials sender{};
};

/// A datagram socket between processes of one machine (unix(7)). Datagrams are not lost and arrive in order; a sender
/// waits while the receiver's queue is full. Paths have the form of `endpoint::local`. The rules for concurrent use and
/// the errors of its calls are those of a `stream`. A datagram is sent or received completely, or, if the call is cut
/// short, not at all. Closing or destroying the socket removes its file, unless another file has taken the path
/// meanwhile.
///
/// @code
/// auto log = coir::net::unix_datagram::bind("@log");
/// auto client = coir::net::unix_datagram::connect("@log");
/// client.send("it works");
/// std::array<std::byte, 100> buffer;
/// const auto received = log.receive_from(buffer);
/// if (received.bytes.size() != 8 || received.sender.process != getpid()) throw std::logic_error{"log"};
/// @endcode
class unix_datagram {
public:
    /// A closed socket.
    unix_datagram() noexcept = default;
    unix_datagram(unix_datagram&& other) noexcept = default;
    unix_datagram& operator=(unix_datagram&& other) noexcept;
    ~unix_datagram() { close(); }

    /// Creates a socket that receives at this path. Replaces the file of a socket that no process has open any more,
    /// for example after a crash. Throws `std::system_error` naming the path: `address_in_use`, `permission_denied`,
    /// `no_such_file_or_directory`.
    static unix_datagram bind(std::string_view path);
    static unix_datagram bind(std::string_view path, std::error_code& ec);

    /// Creates a socket that sends to this path. It has no path of its own, so the receiver cannot reply until the
    /// socket is bound. Never waits. Throws `std::system_error` naming the path: `no_such_file_or_directory`,
    /// `connection_refused`.
    static unix_datagram connect(std::string_view path);
    static unix_datagram connect(std::string_view path, std::error_code& ec);

    /// Two sockets that are connected to each other.
    static std::pair<unix_datagram, unix_datagram> pair();

    /// Sends to the connected peer. Fails with `message_size` if the data is larger than the send buffer, and with
    /// `connection_refused` if the peer has closed its socket.
    void send(std::span<const std::byte> bytes, deadline until = never) {
        std::error_code ec;
        send(bytes, until, ec);
        detail::throw_if(ec, "unix_datagram::send");
    }
    void send(std::string_view text, deadline until = never) { send(std::as_bytes(std::span{text}), until); }
    void send(std::span<const std::byte> bytes, deadline until, std::error_code& ec);

    /// Sends to any endpoint. While the receiver's queue is full, retries every millisecond.
    void send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until = never) {
        std::error_code ec;
        send_to(bytes, to, until, ec);
        if (ec) [[unlikely]]
            detail::throw_error(ec, "unix_datagram::send_to " + to.to_string());
    }
    void send_to(std::string_view text, const endpoint& to, deadline until = never) {
        send_to(std::as_bytes(std::span{text}), to, until);
    }
    void send_to(std::span<const std::byte> bytes, const endpoint& to, deadline until, std::error_code& ec);

    /// Waits for a datagram. `bytes` of the result is the part of `into` that was filled; `peer` has an empty path if
    /// the sender is not bound. If `into` is empty, the call takes a datagram too, and drops its content (recv(2)).
    [[nodiscard]] unix_datagram_received receive_from(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const unix_datagram_received received = receive_from(into, until, ec);
        detail::throw_if(ec, "unix_datagram::receive_from");
        return received;
    }
    [[nodiscard]] unix_datagram_received receive_from(std::span<std::byte> into, deadline until, std::error_code& ec);

    /// As for a `unix_stream`; each descriptor travels in a datagram of its own.
    void send_descriptor(int descriptor, deadline until = never);
    void send_descriptor(int descriptor, deadline until, std::error_code& ec);
    [[nodiscard]] int receive_descriptor(deadline until = never);
    [[nodiscard]] int receive_descriptor(deadline until, std::error_code& ec);

    /// Closes the socket. Calls in which other fibers are suspended fail with `operation_canceled`. Never waits.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }
    [[nodiscard]] endpoint local_endpoint() const;

private:
    explicit unix_datagram(int made) noexcept : socket_{made} {}
    static unix_datagram make(std::error_code& ec);

    detail::socket socket_;
    detail::socket_file file_;
};

}  // namespace coir::net
