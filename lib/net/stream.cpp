#include <coir/net/stream.hpp>

#include "base/sys.hpp"
#include "base/unique_fd.hpp"
#include "io/polled_fd.hpp"
#include "io/vectors.hpp"
#include "net/socket_calls.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>

namespace coir::net {

namespace {

using detail::error_of;
using detail::unique_fd;
namespace sys = detail::sys;

}  // namespace

// ---- several buffers ----------------------------------------------------------------------------------------------

std::size_t stream::receive(io::mutable_buffers into, const deadline& until, std::error_code& ec) {
    detail::vectors buffers{into};
    msghdr message{};
    message.msg_iov = buffers.data();
    message.msg_iovlen = buffers.size();
    return socket_.receive(message, until, ec, "stream::read_some");
}

std::size_t stream::send(io::const_buffers from, const deadline& until, std::error_code& ec) {
    // For a short message, one copied buffer is cheaper for the kernel than several buffers.
    std::array<std::byte, 512> together;
    const std::span message_in_one = detail::joined(from, together);
    if (!message_in_one.empty()) return socket_.send(message_in_one, until, ec, "stream::write_some");
    detail::vectors buffers{from};
    msghdr message{};
    message.msg_iov = buffers.data();
    message.msg_iovlen = buffers.size();
    return socket_.send(message, until, ec, "stream::write_some");
}

// ---- in the kernel -----------------------------------------------------------------------------------------------

std::uint64_t stream::sendfile(int file, std::uint64_t offset, std::uint64_t count, deadline until,
                               std::error_code& ec) {
    return detail::transfer_all(count, ec, [&](std::size_t done) {
        return socket_.send_file(file, offset + done, count - done, until, ec, "stream::sendfile");
    });
}

std::uint64_t stream::splice_to(stream& to, deadline until, std::error_code& ec) {
    constexpr std::size_t pipe_bytes = 65'536;  // pipe(7): default capacity
    constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    std::array<int, 2> ends{};
    ec = error_of(sys::pipe(ends.data(), O_NONBLOCK | O_CLOEXEC));
    if (ec) return 0;
    const unique_fd out{ends[0]};
    const unique_fd in{ends[1]};
    for (std::uint64_t delivered = 0;;) {
        // The pipe is empty here, so EAGAIN means that the stream has no data.
        const std::size_t taken = socket_.read_by(
            [&] { return sys::splice(socket_.fd(), in.get(), pipe_bytes, flags); }, until, ec, "stream::splice_to");
        if (ec || taken == 0) return delivered;
        delivered += detail::transfer_all(taken, ec, [&](std::size_t done) {
            const auto call = [&] { return sys::splice(out.get(), to.socket_.fd(), taken - done, flags); };
            return to.socket_.write_by(call, until, ec, "stream::splice_to");
        });
        if (ec) return delivered;
    }
}

// ---- the connection ----------------------------------------------------------------------------------------------

void stream::shutdown(shut which, std::error_code& ec) noexcept {
    const long result = sys::shutdown(socket_.fd(), static_cast<int>(which));
    // ENOTCONN: the connection has ended already, in order or with an error that no call has reported yet.
    ec = error_of(result == -ENOTCONN ? detail::pending_error(socket_.fd()) : result);
}

void stream::set_send_buffer(std::size_t bytes) {
    detail::set_buffer(native_handle(), SO_SNDBUF, bytes, "stream::set_send_buffer");
}

void stream::set_receive_buffer(std::size_t bytes) {
    detail::set_buffer(native_handle(), SO_RCVBUF, bytes, "stream::set_receive_buffer");
}

std::size_t stream::send_buffer() const { return detail::buffer(native_handle(), SO_SNDBUF, "stream::send_buffer"); }

std::size_t stream::receive_buffer() const {
    return detail::buffer(native_handle(), SO_RCVBUF, "stream::receive_buffer");
}

}  // namespace coir::net
