#include "core/loop/reactor.hpp"

#include "base/check.hpp"
#include "base/sys.hpp"

#include <cerrno>
#include <poll.h>
#include <string>
#include <system_error>

namespace coir::detail {

namespace {

constexpr std::uint32_t read_events = EPOLLIN | EPOLLRDHUP | EPOLLPRI;
constexpr std::uint64_t wakeup_event = ~std::uint64_t{0};  // no tag of a descriptor has this value

std::uint64_t tag(int fd, std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

/// The events to register for the waiters of a borrowed descriptor. The first event disarms the registration.
std::uint32_t events_for(const descriptor& borrowed) noexcept {
    return (borrowed.readers.empty() ? 0U : read_events) | (borrowed.writers.empty() ? 0U : EPOLLOUT) | EPOLLONESHOT;
}

void wake_all(list<waiter>& waiters, outcome how) noexcept {
    while (waiter* first = waiters.front()) first->wake(how);
}

/// `purpose` is "watch" or "wait for".
[[noreturn]] void throw_error(long result, const char* purpose, int fd) {
    throw std::system_error{static_cast<int>(-result), std::generic_category(),
                            std::string{"epoll: cannot "} + purpose + " descriptor " + std::to_string(fd)};
}

}  // namespace

bool is_ready_now(int fd, direction towards) noexcept {
    const long events = sys::poll_now(fd, towards == direction::read ? POLLIN | POLLPRI | POLLRDHUP : POLLOUT);
    return events > 0 && (events & POLLNVAL) == 0;
}

reactor::reactor() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
    if (!epoll_) throw std::system_error{errno, std::generic_category(), "scheduler: cannot create an epoll instance"};
}

void reactor::add(int fd) {
    descriptor& added = adopt(fd, descriptor::kind::owned);
    added.watched = read_events | EPOLLET;
    // A borrowed descriptor that coir adopts already has an entry.
    long done = control(EPOLL_CTL_ADD, fd, added);
    if (done == -EEXIST) done = control(EPOLL_CTL_MOD, fd, added);
    if (done == 0) return;
    added.how = descriptor::kind::unknown;
    throw_error(done, "watch", fd);
}

void reactor::add_shared(int fd) {
    descriptor& added = adopt(fd, descriptor::kind::shared);
    added.watched = 0;
    drop_registration(fd);  // a borrowed descriptor that coir adopts may have an entry, which is now obsolete
}

descriptor& reactor::adopt(int fd, descriptor::kind how) {
    descriptor& added = make_entry(fd);
    COIR_CHECK(added.how != descriptor::kind::owned && added.how != descriptor::kind::shared,
               "reactor: a descriptor is added twice");
    added.how = how;
    ++added.generation;
    added.readable = added.writable = true;
    added.eagain_alone_clears = false;
    return added;
}

void reactor::remove(int fd) noexcept {
    descriptor& removed = *entry(fd);
    ++removed.generation;
    removed.how = descriptor::kind::unknown;
    drop_registration(fd);
}

void reactor::drop_registration(int fd) noexcept {
    sys::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    wake_all(entry(fd)->readers, outcome::closed);
    wake_all(entry(fd)->writers, outcome::closed);
}

void reactor::prepare(int fd, waiter& waiting, direction towards) {
    descriptor& awaited = *entry(fd);
    if (towards == direction::write && (awaited.watched & EPOLLOUT) == 0) {
        awaited.watched |= EPOLLOUT;
        // EPOLL_CTL_MOD reports an event that already holds, so that writability since the EAGAIN is not missed.
        if (const long done = control(EPOLL_CTL_MOD, fd, awaited); done != 0) {
            awaited.watched &= ~std::uint32_t{EPOLLOUT};
            throw_error(done, "watch", fd);
        }
    }
    awaited.waiters(towards).push_back(waiting);
}

void reactor::prepare_shared(int fd, waiter& waiting) {
    descriptor& awaited = *entry(fd);
    if (awaited.watched == 0) {
        awaited.watched = EPOLLIN | EPOLLEXCLUSIVE;
        const long done = control(EPOLL_CTL_ADD, fd, awaited);
        if (done != 0) {
            awaited.watched = 0;
            throw_error(done, "watch", fd);
        }
    }
    awaited.readers.push_back(waiting);
}

bool reactor::prepare_borrowed(int fd, waiter& waiting, direction towards) {
    if (fd < 0) throw_error(-EBADF, "wait for", fd);
    descriptor& awaited = make_entry(fd);
    if (awaited.how == descriptor::kind::shared) {
        prepare_shared(fd, waiting);
        return true;
    }
    if (awaited.how == descriptor::kind::owned) {
        // Owned descriptors are edge-triggered: earlier events were reported and are not reported again.
        if (is_ready_now(fd, towards)) return false;
        prepare(fd, waiting, towards);
        return true;
    }
    awaited.how = descriptor::kind::borrowed;
    awaited.waiters(towards).push_back(waiting);
    awaited.watched = events_for(awaited);
    long done = control(EPOLL_CTL_MOD, fd, awaited);
    if (done == -ENOENT) {
        // There is no entry: this is the first wait, or the program closed the descriptor and the number now refers to
        // another file. In the second case the events and waiters of the old file are obsolete.
        ++awaited.generation;
        waiting.unlink();
        wake_all(awaited.readers, outcome::closed);
        wake_all(awaited.writers, outcome::closed);
        awaited.waiters(towards).push_back(waiting);
        awaited.watched = events_for(awaited);
        done = control(EPOLL_CTL_ADD, fd, awaited);
    }
    if (done == 0) return true;
    waiting.unlink();
    if (done == -EPERM) return false;
    throw_error(done, "wait for", fd);
}

void reactor::finish_borrowed(int fd) noexcept {
    descriptor& awaited = *entry(fd);
    if (awaited.how == descriptor::kind::shared) finish_shared(fd);
    if (awaited.how != descriptor::kind::borrowed) return;
    const std::uint32_t now = events_for(awaited);
    // If no fiber waits any more, the entry stays: it is disarmed, or its next event wakes no fiber and disarms it. If
    // others still wait, it is armed again, since one event disarms it for all of them.
    if (now == EPOLLONESHOT) return;
    awaited.watched = now;
    control(EPOLL_CTL_MOD, fd, awaited);
}

void reactor::finish_shared(int fd) noexcept {
    descriptor& awaited = *entry(fd);
    // The next caller tries the call first: connections that arrive while the descriptor is not registered cause no
    // event.
    awaited.readable = true;
    if (awaited.watched == 0 || !awaited.readers.empty()) return;
    awaited.watched = 0;
    sys::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void reactor::watch_wakeup_descriptor(int fd) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = wakeup_event;
    const long done = sys::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    if (done != 0) throw_error(done, "watch", fd);
}

bool reactor::poll(std::int64_t nanoseconds) noexcept {
    epoll_event events[events_max];
    ++polls_;
    const long count = sys::epoll_wait(epoll_.get(), events, events_max, nanoseconds);
    // EINTR: a signal handler has run. The hub then checks the inbox, to which the handler may have posted.
    COIR_CHECK(count != -EBADF && count != -EINVAL, "epoll_wait failed: the scheduler's epoll descriptor was closed");
    COIR_CHECK(count >= 0 || count == -EINTR, "epoll_wait failed: a seccomp filter may refuse epoll_pwait(2)");
    for (long i = 0; i < count; ++i) dispatch(events[i]);
    return count == events_max;
}

void reactor::dispatch(const epoll_event& event) noexcept {
    if (event.data.u64 == wakeup_event) return;
    const auto fd = static_cast<int>(event.data.u64 & 0xffffffffU);
    descriptor& at = *entry(fd);
    if (event.data.u64 != tag(fd, at.generation)) return;

    const bool failed = (event.events & (EPOLLHUP | EPOLLERR)) != 0;
    const bool reads = failed || (event.events & read_events) != 0;
    const bool writes = failed || (event.events & EPOLLOUT) != 0;
    if (failed || (event.events & (EPOLLPRI | EPOLLRDHUP)) != 0) at.eagain_alone_clears = true;
    if (reads) {
        at.readable = true;
        wake_all(at.readers, outcome::woken);
    }
    if (writes) {
        at.writable = true;
        wake_all(at.writers, outcome::woken);
    }
}

descriptor& reactor::make_entry(int fd) {
    const std::size_t index = static_cast<std::size_t>(fd) / chunk;
    if (index >= chunks_.size()) chunks_.resize(index + 1);
    if (chunks_[index] == nullptr) chunks_[index] = std::make_unique<std::array<descriptor, chunk>>();
    return *entry(fd);
}

long reactor::control(int operation, int fd, const descriptor& what) const noexcept {
    epoll_event event{};
    event.events = what.watched;
    event.data.u64 = tag(fd, what.generation);
    return sys::epoll_ctl(epoll_.get(), operation, fd, &event);
}

}  // namespace coir::detail
