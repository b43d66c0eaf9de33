#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/net/socket_file.hpp>
#include <coir/net/endpoint.hpp>
#include <coir/net/stream.hpp>
#include <coir/task_group.hpp>

#include <functional>
#include <string_view>
#include <sys/types.h>
#include <system_error>
#include <utility>

namespace coir::net {

/// The identity of the peer at the time of the connection (unix(7), SO_PEERCRED). The kernel provides it, so the peer
/// cannot forge it.
struct peer_credentials {
    pid_t process;
    uid_t user;
    gid_t group;
};

/// A connection between processes of one machine (unix(7)): a `stream` that can also pass descriptors. Paths have the
/// form of `endpoint::local`.
///
/// @code
/// auto [here, there] = coir::net::unix_stream::pair();
/// here.write_all("ping");
/// std::array<char, 4> text;
/// if (there.read_exactly(std::as_writable_bytes(std::span{text})) != 4) throw std::logic_error{"pair"};
/// @endcode
class unix_stream : public stream {
public:
    /// A closed stream.
    unix_stream() noexcept = default;

    /// Two streams that are connected to each other, for example to keep one and to pass the other to another process.
    static std::pair<unix_stream, unix_stream> pair();

    /// While the listener's queue is full, retries every millisecond. Also throws `no_such_file_or_directory`,
    /// `connection_refused` (no listener at this path any more) and similar errors; the message names the path.
    static unix_stream connect(std::string_view path, deadline until = never);
    static unix_stream connect(std::string_view path, deadline until, std::error_code& ec);

    /// Passes a duplicate of the descriptor to the peer, together with one byte of data. The descriptor stays open
    /// here. Throws the same errors as the transfers of a `stream`.
    void send_descriptor(int descriptor, deadline until = never);
    void send_descriptor(int descriptor, deadline until, std::error_code& ec);

    /// Receives a descriptor that the peer has sent with `send_descriptor`. It is close-on-exec; the caller owns it and
    /// must close it. Also throws `bad_message` if data with no descriptor, or with several, arrives instead (received
    /// descriptors are closed), and `connection_aborted` at the end of the stream.
    [[nodiscard]] int receive_descriptor(deadline until = never);
    [[nodiscard]] int receive_descriptor(deadline until, std::error_code& ec);

    [[nodiscard]] peer_credentials credentials() const;

    [[nodiscard]] endpoint local_endpoint() const;
    /// Usually an endpoint without a name: a connecting socket is seldom bound to a path.
    [[nodiscard]] endpoint remote_endpoint() const;
    [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

private:
    friend class unix_listener;
    explicit unix_stream(int connected) noexcept : stream{connected, detail::short_read::means_nothing} {}
};

/// A listening Unix socket. Any number of fibers of one scheduler may accept concurrently. As for a `stream`, it
/// belongs to one scheduler, and must not be moved or destroyed while in use. Closing or destroying it removes its
/// file, unless another file has taken the path meanwhile.
class unix_listener {
public:
    /// A closed listener.
    unix_listener() noexcept = default;
    unix_listener(unix_listener&& other) noexcept = default;
    unix_listener& operator=(unix_listener&& other) noexcept;
    ~unix_listener() { close(); }

    /// Listens. Replaces the file of a socket on which no process listens any more, for example after a crash. If two
    /// processes replace the same file at the same time, one of them may lose its file. Throws `std::system_error`
    /// naming the path: `address_in_use`, `permission_denied`, `no_such_file_or_directory`.
    static unix_listener bind(std::string_view path, int backlog = 4096);
    static unix_listener bind(std::string_view path, int backlog, std::error_code& ec);

    /// As `tcp_listener::accept`.
    [[nodiscard]] unix_stream accept(deadline until = never);
    [[nodiscard]] unix_stream accept(deadline until, std::error_code& ec);

    /// As `tcp_listener::serve`.
    ///
    /// @code
    /// auto listener = coir::net::unix_listener::bind("@greeter");
    /// const auto greet = [](coir::net::unix_stream peer) { peer.write_all("hello"); };
    /// auto server = coir::spawn([&] { listener.serve(greet); });
    /// auto stream = coir::net::unix_stream::connect("@greeter");
    /// std::array<std::byte, 5> greeting;
    /// if (stream.read_exactly(greeting) != 5) throw std::logic_error{"greeting"};
    /// server.request_stop();
    /// @endcode
    void serve(const std::function<void(unix_stream)>& handler, deadline until = never);
    void serve(limit most, const std::function<void(unix_stream)>& handler, deadline until = never);

    /// Closes the socket. Calls in which other fibers are suspended fail with `operation_canceled`. Never waits.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }
    [[nodiscard]] endpoint local_endpoint() const;

private:
    explicit unix_listener(int bound) noexcept : socket_{bound} {}

    detail::socket socket_;
    detail::socket_file file_;
};

}  // namespace coir::net
