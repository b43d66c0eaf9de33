#include <coir/detail/net/socket.hpp>
#include <coir/this_fiber.hpp>

#include "base/sys.hpp"
#include "base/unique_fd.hpp"
#include "io/polled_fd.hpp"
#include "net/socket_calls.hpp"
#include "thread/offload_in.hpp"

#include <utility>

namespace coir::detail {

// ---- transfers ---------------------------------------------------------------------------------------------------

long socket::try_receive(descriptor& at, std::span<std::byte> into) noexcept {
    const long n = at.try_call(direction::read, [&] { return sys::recv(fd(), into.data(), into.size(), 0); });
    // epoll(7): a stream socket that returned less than requested is empty, and new data causes a new event. This does
    // not hold once an end, an error or an urgent byte is pending: it may have been in the same event as the data.
    const bool is_short = n > 0 && static_cast<std::size_t>(n) < into.size();
    const bool is_empty = is_short && when_short_ == short_read::means_empty && !at.eagain_alone_clears;
    if (is_empty) at.readable = false;
    return n;
}

long socket::try_send(descriptor& at, std::span<const std::byte> from) noexcept {
    return at.try_call(direction::write, [&] { return sys::send(fd(), from.data(), from.size(), MSG_NOSIGNAL); });
}

std::size_t socket::receive(std::span<std::byte> into, const deadline& until, std::error_code& ec,
                            const char* operation) {
    if (is_busy(direction::read, ec)) return 0;
    const long got =
        complete(direction::read, until, ec, operation, [&](descriptor& at) noexcept { return try_receive(at, into); });
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

std::size_t socket::receive(msghdr& into, const deadline& until, std::error_code& ec, const char* operation) {
    return read_by([&] { return sys::recvmsg(fd(), &into, MSG_CMSG_CLOEXEC); }, until, ec, operation);
}

std::size_t socket::receive(std::span<mmsghdr> into, const deadline& until, std::error_code& ec,
                            const char* operation) {
    const auto most = static_cast<unsigned>(into.size());
    return read_by([&] { return sys::recvmmsg(fd(), into.data(), most, 0); }, until, ec, operation);
}

std::size_t socket::send(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                         const char* operation) {
    return write_by([&] { return sys::send(fd(), from.data(), from.size(), MSG_NOSIGNAL); }, until, ec, operation);
}

std::size_t socket::send(const msghdr& from, const deadline& until, std::error_code& ec, const char* operation) {
    return write_by([&] { return sys::sendmsg(fd(), &from, MSG_NOSIGNAL); }, until, ec, operation);
}

std::size_t socket::send(std::span<mmsghdr> from, const deadline& until, std::error_code& ec, const char* operation) {
    const auto count = static_cast<unsigned>(from.size());
    return write_by([&] { return sys::sendmmsg(fd(), from.data(), count, MSG_NOSIGNAL); }, until, ec, operation);
}

std::size_t socket::send_file(int file, std::uint64_t offset, std::size_t count, const deadline& until,
                              std::error_code& ec, const char* operation) {
    if (is_busy(direction::write, ec)) return 0;
    // If the socket is closed while the thread is about to make the call, the number may belong to another file.
    const long duplicate = sys::duplicate(fd());
    if (duplicate < 0) {
        ec = error_of(duplicate);
        return 0;
    }
    const unique_fd kept{static_cast<int>(duplicate)};
    const long sent = complete(direction::write, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.writable) return -EAGAIN;
        // Reset before the call: the hub may set it again before this fiber resumes.
        at.writable = false;
        const pending_call inside{*this, direction::write};
        std::size_t done = 0;
        const long last = offload_in(lane::files, [&] {
            for (auto position = static_cast<std::int64_t>(offset);;) {
                const long n = sys::sendfile(kept.get(), file, &position, count - done);
                if (n > 0) done += static_cast<std::size_t>(n);
                if (n <= 0 || done == count) return n;
            }
        });
        if (fd() < 0) return -ECANCELED;
        if (last != -EAGAIN) at.writable = true;
        return done > 0 ? static_cast<long>(done) : last;
    });
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

// ---- connections -------------------------------------------------------------------------------------------------

namespace {

/// accept(2): Linux returns pending errors of the new connection, which do not concern the listening socket.
bool is_of_the_connection(long result) noexcept {
    switch (-result) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP: return true;
    default: return false;
    }
}

}  // namespace

int socket::accept(const deadline& until, std::error_code& ec, const char* operation) {
    return static_cast<int>(complete(direction::read, until, ec, operation, [&](descriptor& at) -> long {
        const long accepted = at.try_call(
            direction::read, [&] { return sys::accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
        // `drain` may have come while this fiber yielded, or between its wake and this attempt.
        if (accepted == -EAGAIN && draining_) return -ECANCELED;
        return accepted < 0 && is_of_the_connection(accepted) ? -EINTR : accepted;
    }));
}

void socket::pause(direction towards, deadline until) {
    const pending_call inside{*this, towards};
    this_fiber::sleep_until(until);
}

void socket::connect(const sockaddr* to, socklen_t size, const deadline& until, std::error_code& ec,
                     const char* operation) {
    bool begun = false;
    bool refused = false;
    complete(direction::write, until, ec, operation, [&](descriptor& at) -> long {
        if (std::exchange(begun, true)) return at.writable ? pending_error(fd()) : -EAGAIN;
        const long result = sys::connect(fd(), to, size);
        // connect(2): "insufficient entries in the routing cache". Nothing has begun, so there is nothing to wait for.
        refused = result == -EAGAIN;
        if (refused) return -ECANCELED;
        // EINTR: the connection attempt continues in the background, as with EINPROGRESS (connect(2)).
        if (result != -EINPROGRESS && result != -EINTR) return result;
        at.writable = false;
        return -EAGAIN;
    });
    if (refused) ec = error_of(-EAGAIN);
}

}  // namespace coir::detail
