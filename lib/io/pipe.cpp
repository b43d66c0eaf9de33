#include <coir/detail/base/throw_if.hpp>
#include <coir/io/pipe.hpp>

#include "base/sys.hpp"
#include "base/unique_fd.hpp"
#include "io/hand_over.hpp"
#include "io/polled_fd.hpp"
#include "io/vectors.hpp"
#include "thread/offload_in.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace coir::io {

namespace {

using detail::direction;
using detail::error_of;
using detail::polled_fd;
using detail::transfer_by;
using detail::unique_fd;
namespace sys = detail::sys;

transfer_by transfer_of(int fd, const char* operation) {
    struct stat about {};
    detail::throw_if(error_of(sys::fstat(fd, &about)), operation, fd);
    if (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode) || S_ISDIR(about.st_mode)) return transfer_by::thread_at_once;
    if ((sys::status_flags(fd) & O_NONBLOCK) != 0) return transfer_by::call;
    return S_ISSOCK(about.st_mode) ? transfer_by::call_dontwait : transfer_by::thread;
}

/// epoll(7) refuses (EPERM) a device that is always ready.
bool is_always_ready(const std::error_code& ec) noexcept { return ec == std::errc::operation_not_permitted; }

/// Makes `call` in a thread of the pool, on a duplicate of the descriptor: the original may be closed meanwhile, and
/// its number reused.
template <class Call> long in_a_thread(polled_fd& by, direction towards, Call call) {
    const long duplicate = sys::duplicate(by.fd());
    if (duplicate < 0) return duplicate;
    const unique_fd kept{static_cast<int>(duplicate)};
    const polled_fd::pending_call inside{by, towards};
    const long done = detail::offload_in(detail::lane::files, [&] { return call(kept.get()); });
    return by.fd() < 0 ? -ECANCELED : done;
}

template <class Call>
std::size_t at_once(polled_fd& by, direction towards, std::error_code& ec, const char* operation, Call call) {
    detail::scheduler::enter(operation);
    if (by.is_busy(towards, ec)) return 0;
    const long done = in_a_thread(by, towards, call);
    ec = error_of(done);
    return done < 0 ? 0 : static_cast<std::size_t>(done);
}

}  // namespace

// ---- reading -----------------------------------------------------------------------------------------------------

reader::reader(int descriptor) : how_{transfer_of(descriptor, "io::reader")} { fd_ = polled_fd{descriptor}; }

std::size_t reader::receive(std::span<std::byte> into, const deadline& until, std::error_code& ec) {
    constexpr char operation[] = "io::reader::read_some";
    const auto call = [&](int fd) { return sys::read(fd, into.data(), into.size()); };
    const auto attempt = [&]() -> long {
        const int fd = fd_.fd();
        switch (how_) {
        case transfer_by::call: return call(fd);
        case transfer_by::call_dontwait: return sys::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
        default: return sys::poll_now(fd, POLLIN) == 0 ? -EAGAIN : in_a_thread(fd_, direction::read, call);
        }
    };
    if (how_ != transfer_by::thread_at_once) {
        const std::size_t n = fd_.read_by(attempt, until, ec, operation);
        if (!is_always_ready(ec)) return n;
        how_ = transfer_by::thread_at_once;
    }
    return at_once(fd_, direction::read, ec, operation, call);
}

std::size_t reader::receive(mutable_buffers into, const deadline& until, std::error_code& ec) {
    if (how_ != transfer_by::call) return receive(detail::first_of_buffers(into), until, ec);
    detail::vectors buffers{into};
    const auto call = [&] { return sys::readv(fd_.fd(), buffers.data(), static_cast<int>(buffers.size())); };
    return fd_.read_by(call, until, ec, "io::reader::read_some");
}

// ---- writing -----------------------------------------------------------------------------------------------------

writer::writer(int descriptor) : how_{transfer_of(descriptor, "io::writer")} { fd_ = polled_fd{descriptor}; }

std::size_t writer::send(std::span<const std::byte> from, const deadline& until, std::error_code& ec) {
    constexpr char operation[] = "io::writer::write_some";
    const auto attempt = [&]() -> long {
        const int fd = fd_.fd();
        switch (how_) {
        case transfer_by::call: return sys::write(fd, from.data(), from.size());
        case transfer_by::call_dontwait: return sys::send(fd, from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        default:
            if (sys::poll_now(fd, POLLOUT) == 0) return -EAGAIN;
            // pipe(7): a write of at most PIPE_BUF bytes to a writable pipe does not block.
            const std::size_t bytes = std::min<std::size_t>(from.size(), PIPE_BUF);
            return in_a_thread(fd_, direction::write,
                               [&](int duplicate) { return sys::write(duplicate, from.data(), bytes); });
        }
    };
    if (how_ != transfer_by::thread_at_once) {
        const std::size_t n = fd_.write_by(attempt, until, ec, operation);
        if (!is_always_ready(ec)) return n;
        how_ = transfer_by::thread_at_once;
    }
    return at_once(fd_, direction::write, ec, operation,
                   [&](int fd) { return sys::write(fd, from.data(), from.size()); });
}

std::size_t writer::send(const_buffers from, const deadline& until, std::error_code& ec) {
    if (how_ != transfer_by::call) return send(detail::first_of_buffers(from), until, ec);
    detail::vectors buffers{from};
    const auto call = [&] { return sys::writev(fd_.fd(), buffers.data(), static_cast<int>(buffers.size())); };
    return fd_.write_by(call, until, ec, "io::writer::write_some");
}

// ---- creation ----------------------------------------------------------------------------------------------------

std::pair<reader, writer> pipe() {
    std::array<int, 2> ends{};
    detail::throw_if(error_of(sys::pipe(ends.data(), O_NONBLOCK | O_CLOEXEC)), "io::pipe");
    unique_fd out{ends[0]};
    unique_fd in{ends[1]};
    return {detail::hand_over<reader>(std::move(out)), detail::hand_over<writer>(std::move(in))};
}

}  // namespace coir::io
