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

/// The common part of `tcp_stream` and `unix_stream`: a connection that carries bytes. Its transfers are those of a
/// `byte_source` and a `byte_sink`. Move-only; the destructor closes it.
///
/// One fiber may read while another writes. A second call in the same direction fails with `operation_in_progress`. The
/// stream belongs to the scheduler whose fiber first uses it; a fiber of another scheduler gets `wrong_scheduler`. It
/// may outlive that scheduler. Destroying or moving it while a fiber is suspended in one of its calls aborts the
/// program with a message.
class stream : public io::byte_source<stream>, public io::byte_sink<stream> {
public:
    static constexpr char type_name[] = "stream";

    /// Writes `count` bytes of an open regular file, starting at `offset`, without copying them through the program
    /// (sendfile(2)). Returns the number of bytes, which is less than `count` only if the file ends earlier. Does not
    /// change the file's own offset. A thread for files makes the call, since it may have to wait for a disk.
    /// Once that thread has begun, the fiber waits for it even after a stop or `until`. If the call is cut short, a
    /// part may have been written.
    std::uint64_t sendfile(int file, std::uint64_t offset, std::uint64_t count, deadline until = never) {
        std::error_code ec;
        const std::uint64_t n = sendfile(file, offset, count, until, ec);
        detail::throw_if(ec, "stream::sendfile");
        return n;
    }
    std::uint64_t sendfile(int file, std::uint64_t offset, std::uint64_t count, deadline until, std::error_code& ec);

    /// Reads to the end of this stream and writes everything to `to`; returns the number of bytes. The data passes
    /// through a pipe in the kernel, not through the program (splice(2)). Neither stream is shut down. If the call is
    /// cut short, data that is in the pipe is lost, and only the overload with an error code returns how many bytes
    /// were delivered: close both streams then. Also throws `too_many_files_open` if there are no two free descriptors
    /// for the pipe; nothing has been read then.
    std::uint64_t splice_to(stream& to, deadline until = never) {
        std::error_code ec;
        const std::uint64_t n = splice_to(to, until, ec);
        detail::throw_if(ec, "stream::splice_to");
        return n;
    }
    std::uint64_t splice_to(stream& to, deadline until, std::error_code& ec);

    /// Ends one direction, or both. After `shut::write` the peer reads the end of the stream; data from the peer can
    /// still be read. Never waits. A connection that has ended already is no error. Throws `connection_reset` if the peer
    /// has reset the connection and no other call has reported that yet.
    void shutdown(shut which = shut::write) {
        std::error_code ec;
        shutdown(which, ec);
        detail::throw_if(ec, "stream::shutdown");
    }
    void shutdown(shut which, std::error_code& ec) noexcept;

    /// Closes the connection. Calls in which other fibers are suspended fail with `operation_canceled`. Never waits.
    void close() noexcept { socket_.close(); }

    /// Returns the descriptor, open and non-blocking, and gives up its ownership. Suspended calls fail as with `close`.
    /// Returns -1 if the stream is closed.
    [[nodiscard]] int release() noexcept { return socket_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return socket_.fd() >= 0; }

    /// For setsockopt(2) and similar calls; -1 if the stream is closed.
    [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }

    /// Sizes of the system's buffers for data to and from the peer, in bytes (socket(7): SO_SNDBUF and SO_RCVBUF; the
    /// system doubles them for its bookkeeping, which is not counted here). The system silently limits them to
    /// net.core.wmem_max and net.core.rmem_max. TCP adapts the size of a buffer only as long as it has not been set.
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
