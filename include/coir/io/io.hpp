#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

/// Descriptors that stay the program's own: pipes, terminals, sockets of a non-blocking client. Nothing is kept of them
/// between calls, so they may be closed, and their numbers used again, whenever no fiber waits for them.
///
/// All calls are cancellation points and throw `cancelled`, `scope_expired`, `not_in_fiber`; `timed_out` once `until`
/// has passed; and `std::system_error` naming the descriptor: `bad_file_descriptor` when it is negative or closed,
/// `invalid_argument` for transfers on one without O_NONBLOCK (fcntl(2)). The overloads with a trailing
/// `std::error_code` report the latter two there. Any number of fibers may wait for one descriptor: all are woken, and
/// try again.
///
/// @code
/// #include <unistd.h>
/// #include <fcntl.h>
/// int ends[2];
/// if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) throw std::system_error{errno, std::system_category(), "pipe2"};
/// auto writer = coir::spawn([&] { coir::io::write_all(ends[1], "hello"); });
/// coir::io::wait_readable(ends[0], 1s);
/// std::array<std::byte, 5> text;
/// if (coir::io::read_exactly(ends[0], text) != 5) throw std::logic_error{"pipe"};
/// close(ends[0]);
/// close(ends[1]);
/// @endcode
namespace coir::io {

/// Waits until read(2) would not: for data, the end of the stream, an error. At once for what is always ready: a
/// regular file, /dev/null.
void wait_readable(int fd, deadline until, std::error_code& ec);
inline void wait_readable(int fd, deadline until = never) {
    std::error_code ec;
    wait_readable(fd, until, ec);
    detail::throw_if(ec, "io::wait_readable", fd);
}

/// Waits until write(2) would not.
void wait_writable(int fd, deadline until, std::error_code& ec);
inline void wait_writable(int fd, deadline until = never) {
    std::error_code ec;
    wait_writable(fd, until, ec);
    detail::throw_if(ec, "io::wait_writable", fd);
}

/// Waits until there is something to read, and reads what there is, up to the size of `into`. 0: the end. A regular
/// file is read where its offset stands, by a thread of the offload pool; the read is then waited for, whatever `until`
/// says.
std::size_t read_some(int fd, std::span<std::byte> into, deadline until, std::error_code& ec);
[[nodiscard]] inline std::size_t read_some(int fd, std::span<std::byte> into, deadline until = never) {
    std::error_code ec;
    const std::size_t n = read_some(fd, into, until, ec);
    detail::throw_if(ec, "io::read_some", fd);
    return n;
}

/// Fills `into`. Returns less than its size only at the end, and with `ec` how much was read before the failure. A stop
/// or a scope that cuts it short leaves what was read at the beginning of `into`, and does not say how much: where that
/// matters, read by `read_some`, which then has read nothing.
std::size_t read_exactly(int fd, std::span<std::byte> into, deadline until, std::error_code& ec);
[[nodiscard]] inline std::size_t read_exactly(int fd, std::span<std::byte> into, deadline until = never) {
    std::error_code ec;
    const std::size_t n = read_exactly(fd, into, until, ec);
    detail::throw_if(ec, "io::read_exactly", fd);
    return n;
}

/// Waits until the system takes something, and returns how much it took. `broken_pipe` when nobody reads any more, and
/// never the signal. A regular file as in `read_some`.
std::size_t write_some(int fd, std::span<const std::byte> from, deadline until, std::error_code& ec);
[[nodiscard]] inline std::size_t write_some(int fd, std::span<const std::byte> from, deadline until = never) {
    std::error_code ec;
    const std::size_t n = write_some(fd, from, until, ec);
    detail::throw_if(ec, "io::write_some", fd);
    return n;
}
[[nodiscard]] inline std::size_t write_some(int fd, std::string_view text, deadline until = never) {
    return write_some(fd, std::as_bytes(std::span{text}), until);
}

/// Until the system has taken all; with `ec`, how much it took before the failure. Cut short by a stop or a scope it
/// does not say how much; `write_some` then has written nothing.
std::size_t write_all(int fd, std::span<const std::byte> from, deadline until, std::error_code& ec);
inline void write_all(int fd, std::span<const std::byte> from, deadline until = never) {
    std::error_code ec;
    write_all(fd, from, until, ec);
    detail::throw_if(ec, "io::write_all", fd);
}
inline void write_all(int fd, std::string_view text, deadline until = never) {
    write_all(fd, std::as_bytes(std::span{text}), until);
}

}  // namespace coir::io
