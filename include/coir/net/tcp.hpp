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

/// When to ask a silent peer whether it is still there, in whole seconds (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT).
struct keep_alive {
    std::chrono::seconds idle{60};      // without a byte until the first question
    std::chrono::seconds interval{10};  // between questions that get no answer
    int probes = 6;                     // without an answer, and the connection is dead
};

/// A TCP connection, with TCP_NODELAY on (`set_no_delay`): a `stream`.
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

    [[nodiscard]] endpoint local_endpoint() const;

    /// `not_connected` once the peer has reset the connection.
    [[nodiscard]] endpoint remote_endpoint() const;
    [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

    // ---- options, by their names in tcp(7) and socket(7)

    /// On: each write is sent at once. Off: small ones may wait for the peer's acknowledgement, to be sent together.
    void set_no_delay(bool on);
    [[nodiscard]] bool no_delay() const;

    /// On: only full segments are sent, until it is off again or 200 ms have passed: for a head that is written before
    /// a `sendfile`.
    void set_cork(bool on);

    /// Asks a peer that has been silent for `idle` whether it is still there, and so finds a connection that is dead
    /// though nobody has ended it: its calls then fail with `timed_out`. None: never, which is the default.
    void set_keep_alive(std::optional<keep_alive> when);
    [[nodiscard]] std::optional<keep_alive> keep_alive_settings() const;

    /// How long what was sent may stay unacknowledged until the connection counts as dead (TCP_USER_TIMEOUT); 0: as
    /// long as the system says, a quarter of an hour or so.
    void set_user_timeout(std::chrono::milliseconds longest);
    [[nodiscard]] std::chrono::milliseconds user_timeout() const;

    /// On: `close` throws away what is still to be sent, and the peer reads `connection_reset` (SO_LINGER of 0).
    void set_reset_on_close(bool on);

private:
    friend class tcp_listener;
    explicit tcp_stream(int connected) noexcept : stream{connected} {}
};

struct listen_options {
    int backlog = 4096;       // connections that wait for accept; the system's limit is net.core.somaxconn
    bool reuse_port = false;  // SO_REUSEPORT: several listeners share the port, and the system spreads connections
    bool v6_only = false;     // IPV6_V6ONLY: `[::]` takes IPv4 as well unless it is set
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

    /// Takes over a listening socket that another process may accept from as well: one that was inherited, or handed
    /// over by a supervisor (systemd's sockets, sd_listen_fds(3)). Each connection wakes one of the processes that
    /// wait, and they take turns. The descriptor becomes non-blocking, in all of them, and closed on exec. Throws
    /// `std::system_error` naming it, and it stays the caller's: `invalid_argument` when it is no listening TCP socket.
    ///
    /// @code
    /// auto bound = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    /// auto listener = coir::net::tcp_listener::adopt(bound.release());
    /// auto stream = coir::net::tcp_stream::connect(listener.local_endpoint());
    /// auto peer = listener.accept();
    /// @endcode
    static tcp_listener adopt(int listening);

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

    /// No more than so many connections at a time; those beyond wait in the system's queue (`listen_options::backlog`).
    void serve(limit most, const std::function<void(tcp_stream)>& handler, deadline until = never);

    /// Ends `serve` without losing anybody: it takes those who are connected already and wait in the system's queue, as
    /// far as its limit has room for them, closes the listener, and returns when all have come to their ends. Ends
    /// other waits as `close` does. Never waits.
    void drain() noexcept { socket_.drain(); }

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Gives the descriptor away: open, non-blocking. Ends waits as `close` does; -1 when the listener is closed.
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
