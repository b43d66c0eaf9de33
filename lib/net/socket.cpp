#include <coir/detail/socket.hpp>
#include <coir/this_fiber.hpp>
#include <utility>

#include "base/check.hpp"
#include "base/sys.hpp"
#include "net/io.hpp"

namespace coir::detail {

/// A fiber is suspended in a call of the socket.
class socket::visit {
public:
    visit(socket& visited, direction towards) noexcept : visitors_{visited.visitors_[static_cast<int>(towards)]} {
        ++visitors_;
    }
    ~visit() { --visitors_; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

private:
    std::uint32_t& visitors_;
};

// ---- what every call shares --------------------------------------------------------------------------------------

/// Completes `attempt`, which is given what is known of the descriptor: it answers EAGAIN by itself where nothing can
/// have come since the last one, so that a socket known to be empty costs no call.
template <class Attempt>
long socket::complete(direction towards, const deadline& until, std::error_code& ec, const char* operation,
                      Attempt attempt) {
    scheduler& here = scheduler::enter(operation);
    ec = admit(here, operation);
    if (!ec && is_time_to_yield(here)) ec = let_others_run(here, towards);
    if (ec) return -1;
    descriptor& at = here.reactor()[fd_];
    return try_wait_again(
        ec, [&] { return attempt(at); }, [&] { return wait(here, towards, until); });
}

std::error_code socket::admit(scheduler& here, const char* operation) {
    if (fd_ < 0) return std::make_error_code(std::errc::bad_file_descriptor);
    if (owner_.belongs_to(here.serial())) [[likely]]
        return {};
    owner_.claim(here, operation);
    try {
        here.reactor().add(fd_);
    } catch (const std::system_error& refused) {
        owner_ = {};
        return refused.code();
    }
    return {};
}

std::error_code socket::wait(scheduler& here, direction towards, const deadline& until) {
    waiter me{here.running(), towards == direction::read ? "input from descriptor" : "output to descriptor"};
    me.descriptor = fd_;
    here.reactor().prepare(fd_, me, towards);
    const visit inside{*this, towards};
    const std::error_code ended = park_on_descriptor(here, me, until);
    // Closed, perhaps after the socket became ready and before this fiber ran.
    return fd_ < 0 ? std::make_error_code(std::errc::operation_canceled) : ended;
}

std::error_code socket::let_others_run(scheduler& here, direction towards) {
    const visit inside{*this, towards};
    here.yield();
    return fd_ < 0 ? std::make_error_code(std::errc::operation_canceled) : std::error_code{};
}

void socket::rest(deadline until) {
    const visit inside{*this, direction::read};
    this_fiber::sleep_until(until);
}

// ---- transfers ---------------------------------------------------------------------------------------------------

std::size_t socket::receive(std::span<std::byte> into, const deadline& until, std::error_code& ec,
                            const char* operation) {
    if (is_visited(direction::read, ec)) return 0;
    const long got = complete(direction::read, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.readable) return -EAGAIN;
        const long n = sys::recv(fd_, into.data(), into.size(), 0);
        // epoll(7): a stream socket that gave less than it was asked for is empty, and the next data brings an event.
        // Not so once the end, an error or an urgent byte is about: it may have been in the same event as the data.
        const bool is_short = n > 0 && static_cast<std::size_t>(n) < into.size();
        const bool is_empty = is_short && when_short_ == short_read::means_empty && !at.eagain_alone_clears;
        if (n == -EAGAIN || is_empty) at.readable = false;
        return n;
    });
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

std::size_t socket::receive_all(std::span<std::byte> into, const deadline& until, std::error_code& ec,
                                const char* operation) {
    return repeat(into, ec, [&](std::span<std::byte> rest) { return receive(rest, until, ec, operation); });
}

/// By a call that takes whole messages: EAGAIN alone says that there are no more.
template <class Call>
std::size_t socket::receive_by(Call call, const deadline& until, std::error_code& ec, const char* operation) {
    if (is_visited(direction::read, ec)) return 0;
    const long got = complete(direction::read, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.readable) return -EAGAIN;
        const long n = call();
        if (n == -EAGAIN) at.readable = false;
        return n;
    });
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

std::size_t socket::receive(msghdr& into, const deadline& until, std::error_code& ec, const char* operation) {
    return receive_by([&] { return sys::recvmsg(fd_, &into, MSG_CMSG_CLOEXEC); }, until, ec, operation);
}

std::size_t socket::receive(std::span<mmsghdr> into, const deadline& until, std::error_code& ec,
                            const char* operation) {
    const auto most = static_cast<unsigned>(into.size());
    return receive_by([&] { return sys::recvmmsg(fd_, into.data(), most, 0); }, until, ec, operation);
}

template <class Call>
std::size_t socket::send_by(Call call, const deadline& until, std::error_code& ec, const char* operation) {
    if (is_visited(direction::write, ec)) return 0;
    const long taken = complete(direction::write, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.writable) return -EAGAIN;
        const long n = call();
        if (n == -EAGAIN) at.writable = false;
        return n;
    });
    return taken < 0 ? 0 : static_cast<std::size_t>(taken);
}

std::size_t socket::send(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                         const char* operation) {
    return send_by([&] { return sys::send(fd_, from.data(), from.size(), MSG_NOSIGNAL); }, until, ec, operation);
}

std::size_t socket::send(const msghdr& from, const deadline& until, std::error_code& ec, const char* operation) {
    return send_by([&] { return sys::sendmsg(fd_, &from, MSG_NOSIGNAL); }, until, ec, operation);
}

std::size_t socket::send(std::span<mmsghdr> from, const deadline& until, std::error_code& ec, const char* operation) {
    const auto count = static_cast<unsigned>(from.size());
    return send_by([&] { return sys::sendmmsg(fd_, from.data(), count, MSG_NOSIGNAL); }, until, ec, operation);
}

std::size_t socket::send_all(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                             const char* operation) {
    return repeat(from, ec, [&](std::span<const std::byte> rest) { return send(rest, until, ec, operation); });
}

bool socket::is_visited(direction towards, std::error_code& ec) const noexcept {
    if (visitors_[static_cast<int>(towards)] == 0) [[likely]]
        return false;
    ec = std::make_error_code(std::errc::operation_in_progress);
    return true;
}

// ---- connections -------------------------------------------------------------------------------------------------

namespace {

/// accept(2): Linux passes on errors of the new connection, which says nothing about the listening socket.
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

long pending_error(int fd) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    const long failed = sys::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return failed < 0 ? failed : -error;
}

}  // namespace

int socket::accept(const deadline& until, std::error_code& ec, const char* operation) {
    return static_cast<int>(complete(direction::read, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.readable) return -EAGAIN;
        const long accepted = sys::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted == -EAGAIN) at.readable = false;
        return accepted < 0 && is_of_the_connection(accepted) ? -EINTR : accepted;
    }));
}

void socket::connect(const sockaddr* to, socklen_t size, const deadline& until, std::error_code& ec,
                     const char* operation) {
    bool begun = false;
    complete(direction::write, until, ec, operation, [&](descriptor&) -> long {
        if (std::exchange(begun, true)) return pending_error(fd_);
        const long result = sys::connect(fd_, to, size);
        // EINTR: it goes on in the background like EINPROGRESS (connect(2)).
        return result == -EINPROGRESS || result == -EINTR ? -EAGAIN : result;
    });
}

// ---- life --------------------------------------------------------------------------------------------------------

socket::socket(socket&& other) noexcept { *this = std::move(other); }

socket& socket::operator=(socket&& other) noexcept {
    if (this == &other) return *this;
    other.check_unvisited();
    check_unvisited();
    close();
    owner_ = std::exchange(other.owner_, {});
    fd_ = std::exchange(other.fd_, -1);
    when_short_ = other.when_short_;
    return *this;
}

socket::~socket() {
    check_unvisited();
    close();
}

void socket::check_unvisited() const noexcept {
    COIR_CHECK(visitors_[0] + visitors_[1] == 0, "a socket is destroyed or moved while a fiber is suspended in one of "
                                                 "its calls: close() it, and join the fiber");
}

void socket::close() noexcept {
    if (fd_ >= 0) sys::close(release());
}

int socket::release() noexcept {
    if (fd_ >= 0) {
        COIR_CHECK(!owner_.is_elsewhere(), "a socket is closed in another thread than that of its scheduler");
        scheduler* const here = scheduler::current();
        if (here != nullptr && owner_.belongs_to(here->serial())) here->reactor().remove(fd_);
        owner_ = {};
    }
    return std::exchange(fd_, -1);
}

}  // namespace coir::detail
