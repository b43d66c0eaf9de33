#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/io/byte_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/socket.h>
#include <system_error>

namespace coir::detail {
class tls_connection;
}

namespace coir::net {

/// Which half of a connection `shutdown` ends.
enum class shut : int { read = SHUT_RD, write = SHUT_WR, both = SHUT_RDWR };

/// A connection that carries bytes: what `tcp_stream` and `unix_stream` have in common. Its transfers are those of a
/// `byte_source` and a `byte_sink`. Move-only; the destructor closes it.
///
/// One fiber may read while another writes; two in the same direction are refused with `operation_in_progress`. It
/// belongs to the scheduler whose fiber first uses it (another one: `wrong_scheduler`), and may outlive it. Destroyed
/// or moved while a fiber is suspended in one of its calls, it aborts with a message.
class stream : public io::byte_source<stream>, public io::byte_sink<stream> {
public:
    static constexpr char type_name[] = "stream";

    /// Writes `count` bytes of an open regular file, from `offset` on, without copying them through the program
    /// (sendfile(2)): how many, less than `count` only where the file ends before. A thread of the offload pool does
    /// it, since a disk may have to be waited for; one that has begun is waited for, whatever a stop or `until` says.
    /// The file's own offset stays. Cut short it may have written a part.
    std::uint64_t sendfile(int file, std::uint64_t offset, std::uint64_t count, deadline until = never) {
        std::error_code ec;
        const std::uint64_t n = sendfile(file, offset, count, until, ec);
        detail::throw_if(ec, "stream::sendfile");
        return n;
    }
    std::uint64_t sendfile(int file, std::uint64_t offset, std::uint64_t count, deadline until, std::error_code& ec);

    /// Writes all that comes from here to another stream, to the end of this one: how many bytes. They pass through a
    /// pipe in the kernel, and not through the program (splice(2)). Neither stream is shut down. Cut short, what was on
    /// its way is lost, and how much was delivered only the overload with an error code says: close both then. Throws
    /// besides `too_many_files_open` when there are no two descriptors for the pipe, and nothing is read then.
    std::uint64_t splice_to(stream& to, deadline until = never) {
        std::error_code ec;
        const std::uint64_t n = splice_to(to, until, ec);
        detail::throw_if(ec, "stream::splice_to");
        return n;
    }
    std::uint64_t splice_to(stream& to, deadline until, std::error_code& ec);

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

    /// How many bytes the system keeps on the way to and from the peer (socket(7): SO_SNDBUF and SO_RCVBUF, half of
    /// which is bookkeeping). It takes no more than net.core.wmem_max and rmem_max say, without a word; TCP adapts a
    /// buffer by itself that nobody has set.
    void set_send_buffer(std::size_t bytes);
    void set_receive_buffer(std::size_t bytes);
    [[nodiscard]] std::size_t send_buffer() const;
    [[nodiscard]] std::size_t receive_buffer() const;

protected:
    stream() noexcept = default;
    explicit stream(int connected, detail::short_read when_short = detail::short_read::means_empty) noexcept
        : socket_{connected, when_short} {}

    detail::socket socket_;

private:
    friend byte_source;
    friend byte_sink;
    friend detail::tls_connection;

    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec) {
        return socket_.receive(into, until, ec, "stream::read_some");
    }
    std::size_t receive(io::mutable_buffers into, const deadline& until, std::error_code& ec);
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec) {
        return socket_.send(from, until, ec, "stream::write_some");
    }
    std::size_t send(io::const_buffers from, const deadline& until, std::error_code& ec);
};

}  // namespace coir::net
