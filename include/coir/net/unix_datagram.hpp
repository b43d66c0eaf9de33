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

/// A datagram between processes of one machine, and who sent it: the kernel's word, not the sender's.
struct unix_datagram_received : datagram {
    peer_credentials sender{};
};

/// Datagrams between processes of one machine (unix(7)): none is lost, and they come in order; a sender waits while the
/// receiver's queue is full. Paths are those of `endpoint::local`. Who may use it when is as with a `stream`, and so
/// are the errors of its calls; a datagram is sent and received whole or, when the call is cut short, not at all. Its
/// file goes when it is closed or destroyed, unless another one stands there by then.
///
/// @code
/// auto log = coir::net::unix_datagram::bind("@log");
/// auto client = coir::net::unix_datagram::connect("@log");
/// client.send("it works");
/// std::array<std::byte, 100> place;
/// const auto received = log.receive_from(place);
/// if (received.bytes.size() != 8 || received.sender.process != getpid()) throw std::logic_error{"log"};
/// @endcode
class unix_datagram {
public:
    /// A closed one.
    unix_datagram() noexcept = default;
    unix_datagram(unix_datagram&& other) noexcept = default;
    unix_datagram& operator=(unix_datagram&& other) noexcept;
    ~unix_datagram() { close(); }

    /// Receives at this path. The file of a socket that nobody has open any more, as a crash leaves it, is replaced.
    /// Throws `std::system_error` naming the path: `address_in_use`, `permission_denied`, `no_such_file_or_directory`.
    static unix_datagram bind(std::string_view path);
    static unix_datagram bind(std::string_view path, std::error_code& ec);

    /// Sends to this path, and can be answered only once it is bound itself. Never waits. Throws `std::system_error`
    /// naming the path: `no_such_file_or_directory`, `connection_refused`.
    static unix_datagram connect(std::string_view path);
    static unix_datagram connect(std::string_view path, std::error_code& ec);

    /// Two that are connected to each other.
    static std::pair<unix_datagram, unix_datagram> pair();

    /// To the peer that it is connected to. `message_size` when it is larger than the send buffer, `connection_refused`
    /// once nobody receives there any more.
    void send(std::span<const std::byte> bytes, deadline until = never) {
        std::error_code ec;
        send(bytes, until, ec);
        detail::throw_if(ec, "unix_datagram::send");
    }
    void send(std::string_view text, deadline until = never) { send(std::as_bytes(std::span{text}), until); }
    void send(std::span<const std::byte> bytes, deadline until, std::error_code& ec);

    /// To anyone. While the receiver's queue is full, tries again each millisecond.
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

    /// Waits for a datagram. Its bytes are those of `into` that it took; its peer has an empty path where the sender is
    /// not bound.
    [[nodiscard]] unix_datagram_received receive_from(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const unix_datagram_received received = receive_from(into, until, ec);
        detail::throw_if(ec, "unix_datagram::receive_from");
        return received;
    }
    [[nodiscard]] unix_datagram_received receive_from(std::span<std::byte> into, deadline until, std::error_code& ec);

    /// As those of a `unix_stream`: in a datagram of its own.
    void send_descriptor(int descriptor, deadline until = never);
    void send_descriptor(int descriptor, deadline until, std::error_code& ec);
    [[nodiscard]] int receive_descriptor(deadline until = never);
    [[nodiscard]] int receive_descriptor(deadline until, std::error_code& ec);

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
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
