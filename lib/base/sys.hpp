#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/// The system calls that the library makes while a fiber runs or the hub polls, by one gate: they do not go through the
/// C library's functions of the same name, which a program or the blocking detector may have put hooks on, and the
/// detector's traps let them through.
/// Each returns what the kernel does: a negative result is -errno, and errno stays as it is. None of them retries.
namespace coir::detail::sys {

/// Whether `result` may mean that the call cannot be had here: ENOSYS from a kernel that is older than the call, EPERM
/// or EINVAL from a seccomp filter that is. The caller makes an older call instead, whose result is the one that
/// counts.
constexpr bool may_be_unavailable(long result) noexcept {
    return result == -ENOSYS || result == -EPERM || result == -EINVAL;
}

long read(int fd, void* into, std::size_t bytes) noexcept;
long write(int fd, const void* from, std::size_t bytes) noexcept;
long readv(int fd, const iovec* into, int count) noexcept;
long writev(int fd, const iovec* from, int count) noexcept;
long recv(int fd, void* into, std::size_t bytes, int flags) noexcept;
long send(int fd, const void* from, std::size_t bytes, int flags) noexcept;
long recvfrom(int fd, void* into, std::size_t bytes, int flags, sockaddr* sender, socklen_t* size) noexcept;
long sendto(int fd, const void* from, std::size_t bytes, int flags, const sockaddr* to, socklen_t size) noexcept;
long recvmsg(int fd, msghdr* into, int flags) noexcept;
long sendmsg(int fd, const msghdr* from, int flags) noexcept;
long recvmmsg(int fd, mmsghdr* into, unsigned count, int flags) noexcept;
long sendmmsg(int fd, mmsghdr* from, unsigned count, int flags) noexcept;
/// `position` is where in the file; moved on.
long sendfile(int to, int file, std::int64_t* position, std::size_t bytes) noexcept;
long splice(int from, int to, std::size_t bytes, unsigned flags) noexcept;
long connect(int fd, const sockaddr* address, socklen_t length) noexcept;
long accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept;
long close(int fd) noexcept;

/// Another descriptor for the same file, closed on exec: fcntl(2) with F_DUPFD_CLOEXEC.
long duplicate(int fd) noexcept;
long pipe(int* ends, int flags) noexcept;
long socket(int family, int type, int protocol) noexcept;
long socketpair(int family, int type, int protocol, int* ends) noexcept;
long bind(int fd, const sockaddr* address, socklen_t length) noexcept;
long listen(int fd, int backlog) noexcept;
long shutdown(int fd, int how) noexcept;
long getsockname(int fd, sockaddr* address, socklen_t* length) noexcept;
long getpeername(int fd, sockaddr* address, socklen_t* length) noexcept;
long getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept;
long setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept;
long open(const char* path, int flags, unsigned permissions) noexcept;
long fstat(int fd, struct stat* into) noexcept;
long lstat(const char* path, struct stat* into) noexcept;
long unlink(const char* path) noexcept;

/// Sleeps for some 50 us: between two looks at what another thread is about to do.
void nap() noexcept;

/// Whether it is a terminal: isatty(3).
bool is_terminal(int fd) noexcept;

/// The descriptor's O_ flags: fcntl(2) with F_GETFL.
long status_flags(int fd) noexcept;

/// Adds O_NONBLOCK to them, and sets FD_CLOEXEC: fcntl(2) with F_SETFL and F_SETFD.
long set_nonblocking(int fd) noexcept;
long set_close_on_exec(int fd) noexcept;

/// The state of one descriptor, by poll(2) without waiting: the events of `events` that hold, or -errno.
long poll_now(int fd, short events) noexcept;

/// A descriptor for the process, closed on exec, which is readable once that has ended.
long pidfd_open(pid_t process) noexcept;
long pidfd_send_signal(int pidfd, int signal) noexcept;
long kill(pid_t process, int signal) noexcept;

/// `id` is a process's number or descriptor, as `type` says: P_PID, or P_PIDFD, which glibc names from 2.36 on.
inline constexpr int by_pidfd = 3;
long waitid(int type, int id, siginfo_t* into, int options) noexcept;

/// The signals that the calling thread has blocked: rt_sigprocmask(2).
long blocked_signals(sigset_t* into) noexcept;

/// Whether the eight bytes at `address` can be written, which the kernel then does: rt_sigprocmask(2), which needs no
/// privilege and says EFAULT where a store would fault.
bool can_be_written(void* address) noexcept;

long epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept;

/// Waits for `nanoseconds` (negative: forever). Uses epoll_pwait2(2) where it can be had (Linux 5.11, and no seccomp
/// filter that refuses it), else epoll_pwait(2), in whole milliseconds, rounded up.
long epoll_wait(int epoll, epoll_event* events, int events_max, std::int64_t nanoseconds) noexcept;

}  // namespace coir::detail::sys
