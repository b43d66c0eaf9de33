#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coir/net/unix.hpp>
#include <coir/this_fiber.hpp>
#include <cstring>
#include <string>

#include "net/serve.hpp"
#include "net/socket_calls.hpp"

namespace coir::net {

namespace {

using detail::error_of;
using detail::make_socket;
using detail::name_of;
namespace sys = detail::sys;

/// Of `endpoint::local`, with what that refuses in `ec`.
endpoint at_path(std::string_view path, std::error_code& ec) {
    return endpoint::parse("unix:" + std::string{path}, ec);
}

[[noreturn]] void throw_naming(const std::error_code& ec, const char* operation, std::string_view path) {
    detail::throw_error(ec, std::string{operation} + " '" + std::string{path} + "'");
}

}  // namespace

// ---- streams -----------------------------------------------------------------------------------------------------

std::pair<unix_stream, unix_stream> unix_stream::pair() {
    std::array<int, 2> ends{};
    detail::throw_if(error_of(sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data())),
                     "unix_stream::pair");
    return {unix_stream{ends[0]}, unix_stream{ends[1]}};
}

unix_stream unix_stream::connect(std::string_view path, deadline until) {
    std::error_code ec;
    unix_stream made = connect(path, until, ec);
    if (ec) throw_naming(ec, "unix_stream::connect to", path);
    return made;
}

unix_stream unix_stream::connect(std::string_view path, deadline until, std::error_code& ec) {
    const endpoint to = at_path(path, ec);
    if (ec) return {};
    unix_stream made{make_socket(AF_UNIX, SOCK_STREAM, ec)};
    if (ec) return {};
    // connect(2): where the listener's queue is full it says EAGAIN, and nothing tells when there is room again.
    constexpr std::chrono::milliseconds pause{1};
    for (;;) {
        const long result = sys::connect(made.native_handle(), to.data(), to.size());
        ec = error_of(result);
        if (result != -EAGAIN) break;
        this_fiber::sleep_until(std::min(until, deadline{pause}));
        if (until.has_passed()) {
            ec = std::make_error_code(std::errc::timed_out);
            break;
        }
    }
    return ec ? unix_stream{} : std::move(made);
}

peer_credentials unix_stream::credentials() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    detail::throw_if(error_of(sys::getsockopt(native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size)),
                     "unix_stream::credentials");
    return {peer.pid, peer.uid, peer.gid};
}

endpoint unix_stream::local_endpoint() const {
    return name_of(native_handle(), sys::getsockname, "unix_stream::local_endpoint");
}

endpoint unix_stream::remote_endpoint() const {
    return name_of(native_handle(), sys::getpeername, "unix_stream::remote_endpoint");
}

endpoint unix_stream::remote_endpoint(std::error_code& ec) const noexcept {
    return name_of(native_handle(), sys::getpeername, ec);
}

// ---- descriptors -------------------------------------------------------------------------------------------------

namespace {

/// A message of one byte, with room for descriptors beside it (cmsg(3)).
class parcel {
public:
    parcel() noexcept {
        message_.msg_iov = &data_;
        message_.msg_iovlen = 1;
        message_.msg_control = control_.data();
        message_.msg_controllen = control_.size();
    }
    parcel(const parcel&) = delete;
    parcel& operator=(const parcel&) = delete;

    msghdr& message() noexcept { return message_; }

    void enclose(int descriptor) noexcept {
        message_.msg_controllen = CMSG_SPACE(sizeof descriptor);
        cmsghdr* const header = CMSG_FIRSTHDR(&message_);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }

    /// The one that is enclosed; -1, and all of them closed, when there are several or none.
    int take() noexcept {
        int found = -1;
        int count = 0;
        for_each([&](int descriptor) {
            found = descriptor;
            ++count;
        });
        if (count == 1 && (message_.msg_flags & MSG_CTRUNC) == 0) return found;
        for_each([](int descriptor) { sys::close(descriptor); });
        return -1;
    }

private:
    template <class F> void for_each(F&& f) noexcept {
        for (cmsghdr* at = CMSG_FIRSTHDR(&message_); at != nullptr; at = CMSG_NXTHDR(&message_, at)) {
            if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
            for (std::size_t offset = CMSG_LEN(0); offset + sizeof(int) <= at->cmsg_len; offset += sizeof(int)) {
                int descriptor = -1;
                std::memcpy(&descriptor, CMSG_DATA(at) + (offset - CMSG_LEN(0)), sizeof descriptor);
                f(descriptor);
            }
        }
    }

    std::byte byte_{};
    iovec data_{&byte_, 1};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(4 * sizeof(int))> control_{};
    msghdr message_{};
};

}  // namespace

void unix_stream::send_descriptor(int descriptor, deadline until) {
    std::error_code ec;
    send_descriptor(descriptor, until, ec);
    detail::throw_if(ec, "unix_stream::send_descriptor", descriptor);
}

void unix_stream::send_descriptor(int descriptor, deadline until, std::error_code& ec) {
    parcel sent;
    sent.enclose(descriptor);
    socket_.send(sent.message(), until, ec, "unix_stream::send_descriptor");
}

int unix_stream::receive_descriptor(deadline until) {
    std::error_code ec;
    const int received = receive_descriptor(until, ec);
    detail::throw_if(ec, "unix_stream::receive_descriptor");
    return received;
}

int unix_stream::receive_descriptor(deadline until, std::error_code& ec) {
    parcel received;
    const std::size_t bytes = socket_.receive(received.message(), until, ec, "unix_stream::receive_descriptor");
    if (ec) return -1;
    const int found = received.take();
    if (found < 0) ec = std::make_error_code(bytes == 0 ? std::errc::connection_aborted : std::errc::bad_message);
    return found;
}

// ---- listeners ---------------------------------------------------------------------------------------------------

namespace {

/// The file of a socket that nobody listens on (any more).
bool is_deserted(const endpoint& at) noexcept {
    struct stat found {};
    if (sys::lstat(at.address().c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
    std::error_code ec;
    const int fd = make_socket(AF_UNIX, SOCK_STREAM, ec);
    if (ec) return false;
    const long result = sys::connect(fd, at.data(), at.size());
    sys::close(fd);
    return result == -ECONNREFUSED;
}

bool is_file(const endpoint& at) noexcept { return !at.address().empty() && !at.address().starts_with('@'); }

}  // namespace

unix_listener unix_listener::bind(std::string_view path, int backlog) {
    std::error_code ec;
    unix_listener made = bind(path, backlog, ec);
    if (ec) throw_naming(ec, "unix_listener::bind to", path);
    return made;
}

unix_listener unix_listener::bind(std::string_view path, int backlog, std::error_code& ec) {
    const endpoint at = at_path(path, ec);
    if (ec) return {};
    unix_listener made{make_socket(AF_UNIX, SOCK_STREAM, ec)};
    if (ec) return {};
    const int fd = made.native_handle();
    ec = error_of(sys::bind(fd, at.data(), at.size()));
    if (ec == std::errc::address_in_use && is_file(at) && is_deserted(at)) {
        sys::unlink(at.address().c_str());
        ec = error_of(sys::bind(fd, at.data(), at.size()));
    }
    if (ec) return {};
    struct stat bound {};
    if (is_file(at) && sys::lstat(at.address().c_str(), &bound) == 0) made.file_ = {bound.st_dev, bound.st_ino};
    ec = error_of(sys::listen(fd, backlog));
    return ec ? unix_listener{} : std::move(made);
}

unix_stream unix_listener::accept(deadline until) {
    std::error_code ec;
    unix_stream peer = accept(until, ec);
    detail::throw_if(ec, "unix_listener::accept");
    return peer;
}

unix_stream unix_listener::accept(deadline until, std::error_code& ec) {
    const int fd = socket_.accept(until, ec, "unix_listener::accept");
    return ec ? unix_stream{} : unix_stream{fd};
}

void unix_listener::serve(const std::function<void(unix_stream)>& handler, deadline until) {
    detail::serve<unix_stream>(*this, socket_, handler, until, "unix_listener::serve");
}

endpoint unix_listener::local_endpoint() const {
    return name_of(native_handle(), sys::getsockname, "unix_listener::local_endpoint");
}

void unix_listener::close() noexcept {
    if (is_open() && file_) {
        std::error_code ec;
        const endpoint at = name_of(native_handle(), sys::getsockname, ec);
        const std::string path = at.address();
        struct stat now {};
        const bool is_ours =
            !ec && sys::lstat(path.c_str(), &now) == 0 && now.st_dev == file_->device && now.st_ino == file_->number;
        if (is_ours) sys::unlink(path.c_str());
    }
    socket_.close();
}

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
    if (this == &other) return *this;
    close();
    socket_ = std::move(other.socket_);
    file_ = other.file_;
    return *this;
}

}  // namespace coir::net
