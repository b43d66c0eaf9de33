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
constexpr std::uint64_t bell_event = ~std::uint64_t{0};

std::uint64_t tag(int fd, std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

/// The events by which a borrowed descriptor's waiters are woken, once.
std::uint32_t wanted(const descriptor& borrowed) noexcept {
    return (borrowed.readers.empty() ? 0U : read_events) | (borrowed.writers.empty() ? 0U : EPOLLOUT) | EPOLLONESHOT;
}

void wake_all(list<waiter>& waiters, outcome how) noexcept {
    while (waiter* first = waiters.front()) first->wake(how);
}

[[noreturn]] void throw_error(long result, const char* what, int fd) {
    throw std::system_error{static_cast<int>(-result), std::generic_category(),
                            std::string{what} + " of descriptor " + std::to_string(fd)};
}

}  // namespace

reactor::reactor() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
    if (!epoll_) throw std::system_error{errno, std::generic_category(), "epoll_create1 for a scheduler"};
}

void reactor::add(int fd) {
    descriptor& added = take_on(fd, descriptor::kind::owned);
    added.watched = read_events | EPOLLET;
    // A borrowed descriptor that becomes ours has an entry already.
    long done = control(EPOLL_CTL_ADD, fd, added);
    if (done == -EEXIST) done = control(EPOLL_CTL_MOD, fd, added);
    if (done == 0) return;
    added.how = descriptor::kind::unknown;
    throw_error(done, "epoll_ctl", fd);
}

void reactor::add_shared(int fd) {
    descriptor& added = take_on(fd, descriptor::kind::shared);
    added.watched = 0;
    drop_entry(fd);  // a borrowed descriptor that becomes ours may have one, which is of no use any more
}

descriptor& reactor::take_on(int fd, descriptor::kind how) {
    descriptor& added = know(fd);
    COIR_CHECK(added.how != descriptor::kind::owned && added.how != descriptor::kind::shared,
               "a descriptor is added twice");
    added.how = how;
    ++added.generation;
    added.readable = added.writable = true;
    added.eagain_alone_clears = false;
    return added;
}

void reactor::remove(int fd) noexcept {
    descriptor& removed = *known(fd);
    ++removed.generation;
    removed.how = descriptor::kind::unknown;
    drop_entry(fd);
}

void reactor::drop_entry(int fd) noexcept {
    sys::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    wake_all(known(fd)->readers, outcome::closed);
    wake_all(known(fd)->writers, outcome::closed);
}

void reactor::prepare(int fd, waiter& who, direction towards) {
    descriptor& waited = *known(fd);
    if (towards == direction::write && (waited.watched & EPOLLOUT) == 0) {
        waited.watched |= EPOLLOUT;
        // MOD reports what already holds, so writability that came since the EAGAIN is not missed.
        if (const long done = control(EPOLL_CTL_MOD, fd, waited); done != 0) throw_error(done, "epoll_ctl", fd);
    }
    waited.waiters(towards).push_back(who);
}

void reactor::prepare_shared(int fd, waiter& who) {
    descriptor& waited = *known(fd);
    if (waited.watched == 0) {
        waited.watched = EPOLLIN | EPOLLEXCLUSIVE;
        const long done = control(EPOLL_CTL_ADD, fd, waited);
        if (done != 0) {
            waited.watched = 0;
            throw_error(done, "epoll_ctl", fd);
        }
    }
    waited.readers.push_back(who);
}

bool reactor::prepare_borrowed(int fd, waiter& who, direction towards) {
    if (fd < 0) throw_error(-EBADF, "wait", fd);
    descriptor& waited = know(fd);
    if (waited.how == descriptor::kind::shared) {
        prepare_shared(fd, who);
        return true;
    }
    if (waited.how == descriptor::kind::owned) {
        // Watched edge-triggered: what came before has been reported, and would not be again.
        const short events = towards == direction::read ? POLLIN | POLLPRI | POLLRDHUP : POLLOUT;
        if (sys::poll_now(fd, events) != 0) return false;
        prepare(fd, who, towards);
        return true;
    }
    waited.how = descriptor::kind::borrowed;
    waited.waiters(towards).push_back(who);
    waited.watched = wanted(waited);
    long done = control(EPOLL_CTL_MOD, fd, waited);
    if (done == -ENOENT) {
        // Never waited for, or closed behind our back and the number given to another file. Events of the old one,
        // and its waiters, are of no use any more.
        ++waited.generation;
        who.unlink();
        wake_all(waited.readers, outcome::closed);
        wake_all(waited.writers, outcome::closed);
        waited.waiters(towards).push_back(who);
        waited.watched = wanted(waited);
        done = control(EPOLL_CTL_ADD, fd, waited);
    }
    if (done == 0) return true;
    who.unlink();
    if (done == -EPERM) return false;
    throw_error(done, "wait", fd);
}

void reactor::finish_borrowed(int fd) noexcept {
    descriptor& waited = *known(fd);
    if (waited.how == descriptor::kind::shared) finish_shared(fd);
    if (waited.how != descriptor::kind::borrowed) return;
    const std::uint32_t now = wanted(waited);
    // Others still wait: one event has disarmed all of them. Nobody does: the entry is left disarmed as it is, or its
    // next event finds nobody.
    if (now == EPOLLONESHOT) return;
    waited.watched = now;
    control(EPOLL_CTL_MOD, fd, waited);
}

void reactor::finish_shared(int fd) noexcept {
    descriptor& waited = *known(fd);
    // Asked anew by whoever comes next: what is there meanwhile is no event.
    waited.readable = true;
    if (waited.watched == 0 || !waited.readers.empty()) return;
    waited.watched = 0;
    sys::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void reactor::watch_wakeup_descriptor(int fd) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = bell_event;
    const long done = sys::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    if (done != 0) throw_error(done, "epoll_ctl", fd);
}

void reactor::poll(std::int64_t nanoseconds) noexcept {
    constexpr int batch = 256;
    epoll_event events[batch];
    ++polls_;
    const long count = sys::epoll_wait(epoll_.get(), events, batch, nanoseconds);
    // EINTR: a signal handler has run, and the hub looks at what it may have left.
    COIR_CHECK(count != -EBADF && count != -EINVAL, "epoll_wait failed: the scheduler's epoll descriptor was closed");
    COIR_CHECK(count >= 0 || count == -EINTR, "epoll_wait failed: a seccomp filter may refuse epoll_pwait(2)");
    for (long i = 0; i < count; ++i) dispatch(events[i]);
}

void reactor::dispatch(const epoll_event& event) noexcept {
    if (event.data.u64 == bell_event) return;
    const auto fd = static_cast<int>(event.data.u64 & 0xffffffffU);
    descriptor& at = *known(fd);
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

descriptor& reactor::know(int fd) {
    const std::size_t index = static_cast<std::size_t>(fd) / chunk;
    if (index >= chunks_.size()) chunks_.resize(index + 1);
    if (chunks_[index] == nullptr) chunks_[index] = std::make_unique<std::array<descriptor, chunk>>();
    return *known(fd);
}

long reactor::control(int operation, int fd, const descriptor& what) const noexcept {
    epoll_event event{};
    event.events = what.watched;
    event.data.u64 = tag(fd, what.generation);
    return sys::epoll_ctl(epoll_.get(), operation, fd, &event);
}

}  // namespace coir::detail
