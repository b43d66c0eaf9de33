#pragma once

#include <sys/socket.h>

#include <coir/deadline.hpp>
#include <coir/detail/socket.hpp>
#include <coir/detail/throw_if.hpp>
#include <coir/net/endpoint.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <system_error>

namespace coir::net {

/// Which half of a connection `shutdown` ends.
enum class shut : int { read = SHUT_RD, write = SHUT_WR, both = SHUT_RDWR };

/// A TCP connection, with TCP_NODELAY on (`set_no_delay`). Move-only; the destructor closes it.
///
/// One fiber may read while another writes; two in the same direction are refused with `operation_in_progress`. It
/// belongs to the scheduler whose fiber first uses it (another one: `wrong_scheduler`), and may outlive it. Destroyed
/// or moved while a fiber is suspended in one of its calls, it aborts with a message.
///
/// Calls that transfer data suspend the fiber until the socket is ready, and let others run from time to time if it
/// always is. They throw `cancelled`, `scope_expired`, `timed_out` once `until` has passed, and `std::system_error`
/// with what the system says: `connection_reset`, `broken_pipe` (never the signal), `bad_file_descriptor` once closed.
/// The overloads with a trailing `std::error_code` report all but `cancelled` and `scope_expired` there, and return
/// what was transferred.
///
/// Cut short, `read_some` and `write_some` have moved nothing. `read_exactly` and `write_all` may have moved a part:
/// what was read is at the beginning of `into`, and nothing is lost on the way, but only the overloads with an error
/// code say how much. Where a stop or a scope may come between and the connection is to be used on, transfer by
/// `_some`.
///
/// @code
/// auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
/// auto answer = coir::spawn([&] {
///     auto peer = listener.accept();
///     std::array<std::byte, 64> buffer;
///     while (auto n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
/// });
/// auto stream = coir::net::tcp_stream::connect(listener.local_endpoint());
/// stream.write_all("ping");
/// stream.shutdown();
/// std::array<char, 64> reply;
/// const auto n = stream.read_exactly(std::as_writable_bytes(std::span{reply}));
/// if (std::string_view{reply.data(), n} != "ping") throw std::logic_error{"echo"};
/// @endcode
class tcp_stream {
public:
    /// A closed one.
    tcp_stream() noexcept = default;

    /// Throws besides `connection_refused`, `network_unreachable` and their like; the message names the endpoint.
    static tcp_stream connect(const endpoint& to, deadline until = never);
    static tcp_stream connect(const endpoint& to, deadline until, std::error_code& ec);

    /// Resolves the name (see `resolve`) and connects to the first of its addresses that answers, IPv6 and IPv4 by
    /// turns, all within `until`: see below.
    static tcp_stream connect(std::string_view host, std::uint16_t port, deadline until = never);
    static tcp_stream connect(std::string_view host, std::uint16_t port, deadline until, std::error_code& ec);

    /// Tries one after the other without waiting for the end of each: the next attempt begins after 250 ms, or when one
    /// has failed, and the first that succeeds ends the others (RFC 8305, "Happy Eyeballs"). The failure is that of the
    /// last one to fail; `address_not_available` when there are none.
    static tcp_stream connect(std::span<const endpoint> candidates, deadline until, std::error_code& ec);

    /// Waits until there is something to read, and reads what there is, up to the size of `into`. 0: the end of the
    /// stream.
    [[nodiscard]] std::size_t read_some(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_some(into, until, ec);
        detail::throw_if(ec, "tcp_stream::read_some");
        return n;
    }
    std::size_t read_some(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return socket_.receive(into, until, ec, "tcp_stream::read_some");
    }

    /// Fills `into`. Returns less than its size only where the stream ends before.
    [[nodiscard]] std::size_t read_exactly(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_exactly(into, until, ec);
        detail::throw_if(ec, "tcp_stream::read_exactly");
        return n;
    }
    std::size_t read_exactly(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return socket_.receive_all(into, until, ec, "tcp_stream::read_exactly");
    }

    /// Waits until the system takes something, and returns how much it took.
    [[nodiscard]] std::size_t write_some(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        const std::size_t n = write_some(from, until, ec);
        detail::throw_if(ec, "tcp_stream::write_some");
        return n;
    }
    std::size_t write_some(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return socket_.send(from, until, ec, "tcp_stream::write_some");
    }
    [[nodiscard]] std::size_t write_some(std::string_view text, deadline until = never) {
        return write_some(std::as_bytes(std::span{text}), until);
    }

    /// Until the system has taken all.
    void write_all(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        write_all(from, until, ec);
        detail::throw_if(ec, "tcp_stream::write_all");
    }
    std::size_t write_all(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return socket_.send_all(from, until, ec, "tcp_stream::write_all");
    }
    void write_all(std::string_view text, deadline until = never) { write_all(std::as_bytes(std::span{text}), until); }

    /// Ends one half, or both: after `shut::write` the peer reads the end of the stream, while its own data still
    /// comes. Never waits. `not_connected` when the peer has reset.
    void shutdown(shut which = shut::write) {
        std::error_code ec;
        shutdown(which, ec);
        detail::throw_if(ec, "tcp_stream::shutdown");
    }
    void shutdown(shut which, std::error_code& ec) noexcept;

    /// Ends the connection, and the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Gives the descriptor away: open, non-blocking. Ends waits as `close` does; -1 when the stream is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }

    /// For setsockopt(2) and its like; -1 when the stream is closed.
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }

    [[nodiscard]] endpoint local_endpoint() const;

    /// `not_connected` once the peer has reset the connection.
    [[nodiscard]] endpoint remote_endpoint() const;
    [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

    /// On: each write is sent at once. Off: small ones may wait for the peer's acknowledgement, to be sent together.
    void set_no_delay(bool on);

private:
    friend class tcp_listener;
    explicit tcp_stream(int connected) noexcept : socket_{connected} {}

    detail::socket socket_;
};

struct listen_options {
    int backlog = 4096;       // connections that wait for accept; the system's limit is net.core.somaxconn
    bool reuse_port = false;  // SO_REUSEPORT: several listeners share the port, and the system spreads connections
};

/// A listening TCP socket. Any number of fibers of one scheduler may accept. Belongs to a scheduler, and is not moved
/// or destroyed while in use, as `tcp_stream`.
class tcp_listener {
public:
    /// A closed one.
    tcp_listener() noexcept = default;

    /// Listens, with SO_REUSEADDR; port 0 takes a free one (`local_endpoint`). Throws `std::system_error` naming the
    /// endpoint: `address_in_use`, `address_not_available`, `permission_denied`.
    static tcp_listener bind(const endpoint& at, listen_options options = {});
    static tcp_listener bind(const endpoint& at, listen_options options, std::error_code& ec);

    /// Waits for a connection. Those that end before they are taken are passed over. Throws as the calls of a
    /// `tcp_stream`, and `std::system_error` with `too_many_files_open` when there is no descriptor left; it may then
    /// be tried again later.
    [[nodiscard]] tcp_stream accept(deadline until = never) {
        std::error_code ec;
        tcp_stream peer = accept(until, ec);
        detail::throw_if(ec, "tcp_listener::accept");
        return peer;
    }
    [[nodiscard]] tcp_stream accept(deadline until, std::error_code& ec);

    /// Accepts, and runs `handler` in a fiber of its own for each connection, named after the peer's endpoint. It is
    /// one `handler` for all: what it owns is shared by the connections. One that throws ends its own connection and is
    /// reported as a detached fiber is (`run_options::on_unhandled_exception`), unless it threw that the peer
    /// is gone (`connection_reset`, `broken_pipe`), which is a server's everyday life.
    ///
    /// Goes on until it is stopped or `until` passes: then the connections are stopped and joined, and it throws. When
    /// the listener is closed it lets the connections come to their ends, and returns. While no descriptor is left it
    /// tries again by timer, with one line in the log.
    ///
    /// @code
    /// auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    /// auto server = coir::spawn([&] { listener.serve([](coir::net::tcp_stream peer) { peer.write_all("hello"); }); });
    /// auto stream = coir::net::tcp_stream::connect(listener.local_endpoint());
    /// std::array<std::byte, 5> greeting;
    /// if (stream.read_exactly(greeting) != 5) throw std::logic_error{"greeting"};
    /// server.request_stop();
    /// @endcode
    void serve(const std::function<void(tcp_stream)>& handler, deadline until = never);

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Gives the descriptor away: open, non-blocking. Ends waits as `close` does; -1 when the listener is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }
    [[nodiscard]] endpoint local_endpoint() const;

private:
    explicit tcp_listener(int listening) noexcept : socket_{listening} {}

    detail::socket socket_;
};

}  // namespace coir::net
