#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/net/endpoint.hpp>
#include <coir/net/stream.hpp>
#include <coir/task_group.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <sys/socket.h>
#include <system_error>

namespace coir::net {

/// When to probe an idle connection, in whole seconds (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT).
struct keep_alive {
    std::chrono::seconds idle{60};      // time without data before the first probe
    std::chrono::seconds interval{10};  // time between unanswered probes
    int probes = 6;                     // unanswered probes after which the connection is dead
};

/// A TCP connection: a `stream` with TCP_NODELAY on (`set_no_delay`).
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
class tcp_stream : public stream {
public:
    /// A closed stream.
    tcp_stream() noexcept = default;

    /// Also throws `connection_refused`, `network_unreachable` and similar errors; the message names the endpoint.
    static tcp_stream connect(const endpoint& to, deadline until = never);
    static tcp_stream connect(const endpoint& to, deadline until, std::error_code& ec);

    /// Resolves the name (see `resolve`), orders the addresses so that IPv6 and IPv4 alternate, and connects as the
    /// overload with `candidates` below. `until` limits the whole call.
    static tcp_stream connect(std::string_view host, std::uint16_t port, deadline until = never);
    static tcp_stream connect(std::string_view host, std::uint16_t port, deadline until, std::error_code& ec);

    /// Tries the candidates in order, and connects to the first that succeeds (RFC 8305, "Happy Eyeballs"). The next
    /// attempt begins 250 ms after the previous one, or as soon as an attempt has failed; the first success ends the
    /// other attempts. `ec` is the error of the last attempt to fail, or `address_not_available` if there are no
    /// candidates.
    static tcp_stream connect(std::span<const endpoint> candidates, deadline until, std::error_code& ec);

    [[nodiscard]] endpoint local_endpoint() const;

    /// Throws `not_connected` if the peer has reset the connection.
    [[nodiscard]] endpoint remote_endpoint() const;
    [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

    // ---- options; see tcp(7) and socket(7)

    /// On: each write is sent at once. Off: small writes may wait for the acknowledgement of the peer, to be sent
    /// together.
    void set_no_delay(bool on);
    [[nodiscard]] bool no_delay() const;

    /// On: only full segments are sent, until the option is turned off or 200 ms have passed (TCP_CORK). Use it to send
    /// a header together with the `sendfile` that follows it.
    void set_cork(bool on);

    /// Probes the peer when the connection has been idle, to detect a connection that is dead although neither side
    /// has closed it; calls then fail with `timed_out`. `nullopt` turns the probes off, which is the default.
    void set_keep_alive(std::optional<keep_alive> when);
    [[nodiscard]] std::optional<keep_alive> keep_alive_settings() const;

    /// How long sent data may stay unacknowledged before the connection counts as dead (TCP_USER_TIMEOUT). 0 is the
    /// system's default, about 15 minutes.
    void set_user_timeout(std::chrono::milliseconds longest);
    [[nodiscard]] std::chrono::milliseconds user_timeout() const;

    /// On: `close` discards unsent data, and the peer gets `connection_reset` (SO_LINGER with 0).
    void set_reset_on_close(bool on);

private:
    friend class tcp_listener;
    explicit tcp_stream(int connected) noexcept : stream{connected} {}
};

struct listen_options {
    int backlog = 4096;       // connections that may wait for accept; limited by net.core.somaxconn
    bool reuse_port = false;  // SO_REUSEPORT: several listeners share the port; the system distributes connections
    bool v6_only = false;     // IPV6_V6ONLY: if false, `[::]` accepts IPv4 as well
};

/// A listening TCP socket. Any number of fibers of one scheduler may accept concurrently. As for `tcp_stream`, it
/// belongs to one scheduler, and must not be moved or destroyed while in use.
class tcp_listener {
public:
    /// A closed listener.
    tcp_listener() noexcept = default;

    /// Listens, with SO_REUSEADDR. Port 0 selects a free port (see `local_endpoint`). Throws `std::system_error` naming
    /// the endpoint: `address_in_use`, `address_not_available`, `permission_denied`.
    static tcp_listener bind(const endpoint& at, listen_options options = {});
    static tcp_listener bind(const endpoint& at, listen_options options, std::error_code& ec);

    /// Takes ownership of a listening socket on which other processes may accept too: an inherited one, or one from a
    /// supervisor (systemd's socket activation, sd_listen_fds(3)). Each connection wakes one of the waiting processes,
    /// in turn. The descriptor becomes non-blocking, in all these processes, and close-on-exec. Throws
    /// `std::system_error` naming the descriptor, which then stays with the caller: `invalid_argument` if it is not a
    /// listening TCP socket.
    ///
    /// @code
    /// auto bound = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    /// auto listener = coir::net::tcp_listener::adopt(bound.release());
    /// auto stream = coir::net::tcp_stream::connect(listener.local_endpoint());
    /// auto peer = listener.accept();
    /// @endcode
    static tcp_listener adopt(int listening);

    /// Waits for a connection. Connections that end before they are accepted are skipped. Throws the same errors as the
    /// calls of a `tcp_stream`, and `std::system_error` (`too_many_files_open`) if no descriptor is free; the call may
    /// be repeated later.
    [[nodiscard]] tcp_stream accept(deadline until = never) {
        std::error_code ec;
        tcp_stream peer = accept(until, ec);
        detail::throw_if(ec, "tcp_listener::accept");
        return peer;
    }
    [[nodiscard]] tcp_stream accept(deadline until, std::error_code& ec);

    /// Accepts connections, and runs `handler` for each in a new fiber that is named after the peer's endpoint. All
    /// connections share the one `handler` object and what it owns. An exception from `handler` ends only its own
    /// connection. It is reported like an exception that escapes from a detached fiber
    /// (`run_options::on_unhandled_exception`), with the exception of failures that are a peer's, which are ignored:
    /// - The peer has gone: `connection_reset`, `connection_aborted`, `broken_pipe`, `not_connected`, and ETIMEDOUT of
    ///   the system (`set_keep_alive`). A deadline that has passed is reported.
    /// - The peer has sent no valid TLS handshake: see `tls_stream::accept`.
    /// - An `exception_group` of nothing else.
    ///
    /// Runs until the calling fiber is stopped or `until` passes; then it stops and joins the fibers of the
    /// connections, and throws. If the listener is closed, it waits until the connections end by themselves, and
    /// returns. While no descriptor is free, it retries every 50 ms, and logs one warning. A connection whose fiber cannot
    /// begin, for want of memory or of a stack, is closed; the others go on, and one warning is logged.
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

    /// As above, with at most `most` connections at a time; others wait in the system's queue
    /// (`listen_options::backlog`).
    void serve(limit most, const std::function<void(tcp_stream)>& handler, deadline until = never);

    /// Ends `serve` gracefully: it accepts the connections that already wait in the system's queue, as far as its limit
    /// permits, closes the listener, and returns when all connections have ended. Other suspended calls fail as with
    /// `close`. Never waits.
    void drain() noexcept { socket_.drain(); }

    /// Closes the socket. Calls in which other fibers are suspended fail with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Returns the descriptor, open and non-blocking, and gives up its ownership. Suspended calls fail as with `close`.
    /// Returns -1 if the listener is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }
    [[nodiscard]] endpoint local_endpoint() const;

private:
    explicit tcp_listener(int listening, detail::sharing with = detail::sharing::none) noexcept
        : socket_{listening, with} {}

    detail::socket socket_;
};

}  // namespace coir::net
