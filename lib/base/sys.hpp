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
#include <system_error>

namespace coir::detail {

/// The error of a result of a `sys` function; none unless it is negative.
inline std::error_code error_of(long result) noexcept {
    return result < 0 ? std::error_code{static_cast<int>(-result), std::system_category()} : std::error_code{};
}

}  // namespace coir::detail

/// The system calls that the library makes while a fiber runs or the hub polls. They bypass the functions of the C
/// library with the same names, which the program or the blocking detector may have hooked, and the detector's traps
/// let them through. Each returns the kernel's result: a negative value is -errno, and errno is not changed. None
/// retries.
namespace coir::detail::sys {

/// Whether `result` may mean that the system call is not available: a kernel older than the call answers ENOSYS, a
/// seccomp filter older than the call EPERM or EINVAL. The caller then makes an older call and uses the result of that.
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
/// Starts at `position` in the file and advances `position` by the bytes sent.
long sendfile(int to, int file, std::int64_t* position, std::size_t bytes) noexcept;
long splice(int from, int to, std::size_t bytes, unsigned flags) noexcept;
long connect(int fd, const sockaddr* address, socklen_t length) noexcept;
long accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept;
long close(int fd) noexcept;

/// Returns another descriptor for the same open file, with FD_CLOEXEC set: fcntl(2) with F_DUPFD_CLOEXEC.
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

/// Sleeps for about 50 us, between two checks for something that another thread is about to do.
void nap() noexcept;

/// Whether the descriptor refers to a terminal, like isatty(3).
bool is_terminal(int fd) noexcept;

/// The file status flags (O_...): fcntl(2) with F_GETFL.
long status_flags(int fd) noexcept;

/// Sets O_NONBLOCK: fcntl(2) with F_SETFL.
long set_nonblocking(int fd) noexcept;
/// Sets FD_CLOEXEC: fcntl(2) with F_SETFD.
long set_close_on_exec(int fd) noexcept;

/// Polls one descriptor without waiting. Returns the `revents` of poll(2), or -errno.
long poll_now(int fd, short events) noexcept;

/// Opens a descriptor for the process, closed on exec. It becomes readable when the process ends.
long pidfd_open(pid_t process) noexcept;
long pidfd_send_signal(int pidfd, int signal) noexcept;
long kill(pid_t process, int signal) noexcept;

/// The value of P_PIDFD, which glibc defines since 2.36.
inline constexpr int by_pidfd = 3;
/// `id` is a process number if `type` is P_PID, and a pidfd if it is `by_pidfd`.
long waitid(int type, int id, siginfo_t* into, int options) noexcept;

/// Stores the calling thread's blocked signals: rt_sigprocmask(2).
long blocked_signals(sigset_t* into) noexcept;

/// Whether the eight bytes at `address` are writable. Overwrites them if they are. Calls rt_sigprocmask(2), which needs
/// no privilege and fails with EFAULT where a store would fault.
bool can_be_written(void* address) noexcept;

long epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept;

/// Waits for at most `nanoseconds`; a negative number is no limit. Uses epoll_pwait2(2) if available (Linux 5.11, and no seccomp
/// filter refuses it), else epoll_pwait(2) with the timeout rounded up to whole milliseconds, at most an hour.
long epoll_wait(int epoll, epoll_event* events, int events_max, std::int64_t nanoseconds) noexcept;

}  // namespace coir::detail::sys
