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

/// Who was at the other end when it connected (unix(7), SO_PEERCRED): the kernel's word, not the peer's.
struct peer_credentials {
    pid_t process;
    uid_t user;
    gid_t group;
};

/// A connection between processes of one machine (unix(7)): a `stream` that can pass descriptors on. Paths are those of
/// `endpoint::local`.
///
/// @code
/// auto [here, there] = coir::net::unix_stream::pair();
/// here.write_all("ping");
/// std::array<char, 4> text;
/// if (there.read_exactly(std::as_writable_bytes(std::span{text})) != 4) throw std::logic_error{"pair"};
/// @endcode
class unix_stream : public stream {
public:
    /// A closed one.
    unix_stream() noexcept = default;

    /// Two that are connected to each other: to keep one and pass the other on.
    static std::pair<unix_stream, unix_stream> pair();

    /// While the listener's queue is full, tries again each millisecond. Throws besides `no_such_file_or_directory`,
    /// `connection_refused` (nobody listens there any more) and their like; the message names the path.
    static unix_stream connect(std::string_view path, deadline until = never);
    static unix_stream connect(std::string_view path, deadline until, std::error_code& ec);

    /// Passes a duplicate of the descriptor to the peer, with one byte of data for it to come with. The descriptor
    /// stays open here. Throws as the transfers of a `stream`.
    void send_descriptor(int descriptor, deadline until = never);
    void send_descriptor(int descriptor, deadline until, std::error_code& ec);

    /// Takes what the peer's `send_descriptor` has passed: closed on exec, and the caller's to close. Throws besides
    /// `bad_message` when data without a descriptor, or with several, comes instead, and `connection_aborted` at the
    /// end of the stream; those descriptors are closed.
    [[nodiscard]] int receive_descriptor(deadline until = never);
    [[nodiscard]] int receive_descriptor(deadline until, std::error_code& ec);

    [[nodiscard]] peer_credentials credentials() const;

    [[nodiscard]] endpoint local_endpoint() const;
    /// Without a name, as a rule: who connects has not bound its socket to one.
    [[nodiscard]] endpoint remote_endpoint() const;
    [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

private:
    friend class unix_listener;
    explicit unix_stream(int connected) noexcept : stream{connected, detail::short_read::means_nothing} {}
};

/// A listening Unix socket. Any number of fibers of one scheduler may accept. Belongs to a scheduler, and is not moved
/// or destroyed while in use, as a `stream`. Its file goes when it is closed or destroyed, unless another one stands
/// there by then.
class unix_listener {
public:
    /// A closed one.
    unix_listener() noexcept = default;
    unix_listener(unix_listener&& other) noexcept = default;
    unix_listener& operator=(unix_listener&& other) noexcept;
    ~unix_listener() { close(); }

    /// Listens. The file of a socket on which nobody listens any more, as a crash leaves it, is replaced; two processes
    /// that do so at once race, and one of them may be left without its file. Throws `std::system_error` naming the
    /// path: `address_in_use`, `permission_denied`, `no_such_file_or_directory`.
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

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
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
