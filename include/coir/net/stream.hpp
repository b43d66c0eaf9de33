#pragma once

#include <sys/socket.h>

#include <coir/deadline.hpp>
#include <coir/detail/socket.hpp>
#include <coir/detail/throw_if.hpp>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

namespace coir::net {

/// Which half of a connection `shutdown` ends.
enum class shut : int { read = SHUT_RD, write = SHUT_WR, both = SHUT_RDWR };

/// A connection that carries bytes: what `tcp_stream` and `unix_stream` have in common. Move-only; the destructor
/// closes it.
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
class stream {
public:
    /// Waits until there is something to read, and reads what there is, up to the size of `into`. 0: the end of the
    /// stream.
    [[nodiscard]] std::size_t read_some(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_some(into, until, ec);
        detail::throw_if(ec, "stream::read_some");
        return n;
    }
    std::size_t read_some(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return socket_.receive(into, until, ec, "stream::read_some");
    }

    /// Fills `into`. Returns less than its size only where the stream ends before.
    [[nodiscard]] std::size_t read_exactly(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_exactly(into, until, ec);
        detail::throw_if(ec, "stream::read_exactly");
        return n;
    }
    std::size_t read_exactly(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return socket_.receive_all(into, until, ec, "stream::read_exactly");
    }

    /// Waits until the system takes something, and returns how much it took.
    [[nodiscard]] std::size_t write_some(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        const std::size_t n = write_some(from, until, ec);
        detail::throw_if(ec, "stream::write_some");
        return n;
    }
    std::size_t write_some(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return socket_.send(from, until, ec, "stream::write_some");
    }
    [[nodiscard]] std::size_t write_some(std::string_view text, deadline until = never) {
        return write_some(std::as_bytes(std::span{text}), until);
    }

    /// Until the system has taken all.
    void write_all(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        write_all(from, until, ec);
        detail::throw_if(ec, "stream::write_all");
    }
    std::size_t write_all(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return socket_.send_all(from, until, ec, "stream::write_all");
    }
    void write_all(std::string_view text, deadline until = never) { write_all(std::as_bytes(std::span{text}), until); }

    /// Ends one half, or both: after `shut::write` the peer reads the end of the stream, while its own data still
    /// comes. Never waits. `not_connected` when the peer has reset.
    void shutdown(shut which = shut::write) {
        std::error_code ec;
        shutdown(which, ec);
        detail::throw_if(ec, "stream::shutdown");
    }
    void shutdown(shut which, std::error_code& ec) noexcept;

    /// Ends the connection, and the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Gives the descriptor away: open, non-blocking. Ends waits as `close` does; -1 when the stream is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }

    /// For setsockopt(2) and its like; -1 when the stream is closed.
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }

protected:
    stream() noexcept = default;
    explicit stream(int connected, detail::short_read when_short = detail::short_read::means_empty) noexcept
        : socket_{connected, when_short} {}

    detail::socket socket_;
};

}  // namespace coir::net
