#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

/// Input and output on descriptors that the program owns: pipes, terminals, sockets of a client library with a
/// non-blocking mode. coir keeps no state of them between calls, so they may be closed, and their numbers reused,
/// whenever no fiber waits for them.
///
/// All calls are cancellation points and throw `cancelled`, `scope_expired`, `not_in_fiber`; `timed_out` once `until`
/// has passed; and `std::system_error` that names the descriptor: `bad_file_descriptor` if it is negative or closed,
/// `invalid_argument` for transfers on a descriptor without O_NONBLOCK (fcntl(2)). The overloads with a trailing
/// `std::error_code` store the timeout and the system errors in it. Any number of fibers may wait for one descriptor:
/// all are woken, and try again.
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

/// Waits until read(2) would not block: for data, the end of the stream, or an error. Returns at once for a file that
/// is always ready: a regular file, /dev/null.
void wait_readable(int fd, deadline until, std::error_code& ec);
inline void wait_readable(int fd, deadline until = never) {
    std::error_code ec;
    wait_readable(fd, until, ec);
    detail::throw_if(ec, "io::wait_readable", fd);
}

/// Waits until write(2) would not block.
void wait_writable(int fd, deadline until, std::error_code& ec);
inline void wait_writable(int fd, deadline until = never) {
    std::error_code ec;
    wait_writable(fd, until, ec);
    detail::throw_if(ec, "io::wait_writable", fd);
}

/// Waits until there is something to read, and reads what is available, up to the size of `into`. Returns 0 at the end.
/// A regular file is read at its current offset, by a thread for files; such a read is waited for even after
/// `until` has passed.
std::size_t read_some(int fd, std::span<std::byte> into, deadline until, std::error_code& ec);
[[nodiscard]] inline std::size_t read_some(int fd, std::span<std::byte> into, deadline until = never) {
    std::error_code ec;
    const std::size_t n = read_some(fd, into, until, ec);
    detail::throw_if(ec, "io::read_some", fd);
    return n;
}

/// Fills `into`. Returns less than its size only at the end; with `ec`, also after a failure, the number of bytes read
/// before it. If a stop or a timeout scope cuts the call short, the bytes read so far are at the beginning of `into`,
/// but their number is not returned. If the number matters, use `read_some`, which has read nothing when it is cut
/// short.
std::size_t read_exactly(int fd, std::span<std::byte> into, deadline until, std::error_code& ec);
[[nodiscard]] inline std::size_t read_exactly(int fd, std::span<std::byte> into, deadline until = never) {
    std::error_code ec;
    const std::size_t n = read_exactly(fd, into, until, ec);
    detail::throw_if(ec, "io::read_exactly", fd);
    return n;
}

/// Waits until the system accepts bytes, and returns how many it accepted. Fails with `broken_pipe` if the other end no
/// longer reads; SIGPIPE is never raised. A regular file is handled as in `read_some`.
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

/// Waits until the system has accepted all bytes. With `ec`, returns how many it accepted before a failure. If a stop
/// or a timeout scope cuts the call short, the number is not returned; `write_some` has written nothing when it is cut
/// short.
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
