#include "base/sys.hpp"

#include "base/sanitizers.hpp"
#include "base/system_call.hpp"

#include <atomic>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

#if defined(COIR_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace coir::detail::sys {

namespace {

// A byte that one thread writes and another thread reads orders what happened before the write. ThreadSanitizer knows
// this from its own versions of read and write, which a bare system call bypasses. One variable represents all
// descriptors.
#if defined(COIR_TSAN)
char all_descriptors;
void hand_over() noexcept { __tsan_release(&all_descriptors); }
void take_over() noexcept { __tsan_acquire(&all_descriptors); }
#else
void hand_over() noexcept {}
void take_over() noexcept {}
#endif

}  // namespace

long read(int fd, void* into, std::size_t bytes) noexcept {
    const long got = system_call(SYS_read, fd, into, bytes);
    take_over();
    return got;
}

long write(int fd, const void* from, std::size_t bytes) noexcept {
    hand_over();
    return system_call(SYS_write, fd, from, bytes);
}

long readv(int fd, const iovec* into, int count) noexcept {
    const long got = system_call(SYS_readv, fd, into, count);
    take_over();
    return got;
}

long writev(int fd, const iovec* from, int count) noexcept {
    hand_over();
    return system_call(SYS_writev, fd, from, count);
}

long recv(int fd, void* into, std::size_t bytes, int flags) noexcept {
    return recvfrom(fd, into, bytes, flags, nullptr, nullptr);
}

long send(int fd, const void* from, std::size_t bytes, int flags) noexcept {
    return sendto(fd, from, bytes, flags, nullptr, 0);
}

long recvfrom(int fd, void* into, std::size_t bytes, int flags, sockaddr* sender, socklen_t* size) noexcept {
    const long got = system_call(SYS_recvfrom, fd, into, bytes, flags, sender, size);
    take_over();
    return got;
}

long sendto(int fd, const void* from, std::size_t bytes, int flags, const sockaddr* to, socklen_t size) noexcept {
    hand_over();
    return system_call(SYS_sendto, fd, from, bytes, flags, to, size);
}

long recvmsg(int fd, msghdr* into, int flags) noexcept {
    const long got = system_call(SYS_recvmsg, fd, into, flags);
    take_over();
    return got;
}

long sendmsg(int fd, const msghdr* from, int flags) noexcept {
    hand_over();
    return system_call(SYS_sendmsg, fd, from, flags);
}

long recvmmsg(int fd, mmsghdr* into, unsigned count, int flags) noexcept {
    const long got = system_call(SYS_recvmmsg, fd, into, count, flags, 0L);
    take_over();
    return got;
}

long sendmmsg(int fd, mmsghdr* from, unsigned count, int flags) noexcept {
    hand_over();
    return system_call(SYS_sendmmsg, fd, from, count, flags);
}

long sendfile(int to, int file, std::int64_t* position, std::size_t bytes) noexcept {
    hand_over();
    return system_call(SYS_sendfile, to, file, position, bytes);
}

long splice(int from, int to, std::size_t bytes, unsigned flags) noexcept {
    hand_over();
    const long moved = system_call(SYS_splice, from, nullptr, to, nullptr, bytes, flags);
    take_over();
    return moved;
}

long connect(int fd, const sockaddr* address, socklen_t length) noexcept {
    hand_over();
    return system_call(SYS_connect, fd, address, length);
}

long accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept {
    const long got = system_call(SYS_accept4, fd, address, length, flags);
    take_over();
    return got;
}

long close(int fd) noexcept {
    hand_over();
    return system_call(SYS_close, fd);
}

long duplicate(int fd) noexcept { return system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3); }

long pipe(int* ends, int flags) noexcept { return system_call(SYS_pipe2, ends, flags); }

long socket(int family, int type, int protocol) noexcept { return system_call(SYS_socket, family, type, protocol); }

long socketpair(int family, int type, int protocol, int* ends) noexcept {
    return system_call(SYS_socketpair, family, type, protocol, ends);
}

long bind(int fd, const sockaddr* address, socklen_t length) noexcept {
    return system_call(SYS_bind, fd, address, length);
}

long listen(int fd, int backlog) noexcept { return system_call(SYS_listen, fd, backlog); }

long shutdown(int fd, int how) noexcept {
    hand_over();
    return system_call(SYS_shutdown, fd, how);
}

long getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
    return system_call(SYS_getsockname, fd, address, length);
}

long getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
    return system_call(SYS_getpeername, fd, address, length);
}

long getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
    return system_call(SYS_getsockopt, fd, level, option, value, length);
}

long setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
    return system_call(SYS_setsockopt, fd, level, option, value, length);
}

long open(const char* path, int flags, unsigned permissions) noexcept {
    return system_call(SYS_openat, AT_FDCWD, path, flags, permissions);
}

long fstat(int fd, struct stat* into) noexcept { return system_call(SYS_fstat, fd, into); }

long lstat(const char* path, struct stat* into) noexcept {
    return system_call(SYS_newfstatat, AT_FDCWD, path, into, AT_SYMLINK_NOFOLLOW);
}

long unlink(const char* path) noexcept { return system_call(SYS_unlinkat, AT_FDCWD, path, 0L); }

void nap() noexcept {
    const timespec length{0, 50'000};
    system_call(SYS_nanosleep, &length, nullptr);
}

bool is_terminal(int fd) noexcept {
    // The kernel writes its own struct termios, which is smaller than that of the C library.
    termios settings{};
    return system_call(SYS_ioctl, fd, TCGETS, &settings) == 0;
}

long status_flags(int fd) noexcept { return system_call(SYS_fcntl, fd, F_GETFL); }

long set_nonblocking(int fd) noexcept {
    const long flags = status_flags(fd);
    return flags < 0 ? flags : system_call(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
}

long set_close_on_exec(int fd) noexcept { return system_call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC); }

long poll_now(int fd, short events) noexcept {
    pollfd asked{fd, events, 0};
    const timespec no_time{0, 0};
    const long result = system_call(SYS_ppoll, &asked, 1L, &no_time, 0L, 0L);
    take_over();
    return result < 0 ? result : asked.revents;
}

long pidfd_open(pid_t process) noexcept { return system_call(SYS_pidfd_open, process, 0L); }

long pidfd_send_signal(int pidfd, int signal) noexcept {
    return system_call(SYS_pidfd_send_signal, pidfd, signal, 0L, 0L);
}

long kill(pid_t process, int signal) noexcept { return system_call(SYS_kill, process, signal); }

long waitid(int type, int id, siginfo_t* into, int options) noexcept {
    return system_call(SYS_waitid, type, id, into, options, 0L);
}

namespace {

constexpr long signal_set_bytes = 8;  // size of the kernel's sigset_t; that of the C library has 128 bytes

}  // namespace

long blocked_signals(sigset_t* into) noexcept {
    *into = {};
    return system_call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, into, signal_set_bytes);
}

bool can_be_written(void* address) noexcept {
    return system_call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, address, signal_set_bytes) == 0;
}

long epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
    hand_over();
    return system_call(SYS_epoll_ctl, epoll, operation, fd, event);
}

namespace {

/// Rounds up to whole milliseconds. At most an hour, since waking once an hour for nothing costs little.
int ceiled_to_milliseconds(std::int64_t nanoseconds) noexcept {
    constexpr std::int64_t most = 3'600'000;
    const std::int64_t ceiled = nanoseconds / 1'000'000 + (nanoseconds % 1'000'000 > 0 ? 1 : 0);
    return nanoseconds < 0 ? -1 : static_cast<int>(ceiled < most ? ceiled : most);
}

}  // namespace

#if defined(COIR_TSAN)
// Calls the sanitizer's version: ThreadSanitizer delivers a signal during a wait only if it knows about the wait. A
// signal that arrives just before a bare system call would be held back until that call returns.
long epoll_wait(int epoll, epoll_event* events, int events_max, std::int64_t nanoseconds) noexcept {
    const int saved = errno;
    const int count = ::epoll_wait(epoll, events, events_max, ceiled_to_milliseconds(nanoseconds));
    const long result = count < 0 ? -errno : count;
    errno = saved;
    take_over();
    return result;
}
#else
long epoll_wait(int epoll, epoll_event* events, int events_max, std::int64_t nanoseconds) noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    static std::atomic<bool> has_pwait2{true};
    long result = -ENOSYS;
    if (has_pwait2.load(std::memory_order_relaxed)) {
        const timespec limit{static_cast<time_t>(nanoseconds / second), static_cast<long>(nanoseconds % second)};
        result = system_call(SYS_epoll_pwait2, epoll, events, events_max, nanoseconds < 0 ? nullptr : &limit, 0L, 0L);
    }
    if (may_be_unavailable(result)) {
        const int milliseconds = ceiled_to_milliseconds(nanoseconds);
        result = system_call(SYS_epoll_pwait, epoll, events, events_max, milliseconds, 0L, 8L);
        // If both calls fail, the error is about the arguments and says nothing about epoll_pwait2.
        if (!may_be_unavailable(result)) has_pwait2.store(false, std::memory_order_relaxed);
    }
    take_over();
    return result;
}
#endif

}  // namespace coir::detail::sys
