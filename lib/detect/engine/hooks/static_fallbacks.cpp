#include "detect/engine/hooks/static_fallbacks.hpp"

#include "detect/engine/trap/kernel_sigaction.hpp"

#include <cerrno>
#include <limits>
#include <spawn.h>
#include <sys/syscall.h>
#include <type_traits>
#include <unistd.h>

extern "C" {
FILE* _IO_popen(const char* command, const char* mode);
[[noreturn]] void __chk_fail();  // called by the checking functions on a buffer overflow
}

namespace coir::detail::static_fallback {

namespace {

/// Converts an argument of a system call to the width of a register.
template <class T> long word(T value) noexcept {
    if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<long>(value);
    else if constexpr (std::is_null_pointer_v<T>)
        return 0;
    else
        return static_cast<long>(value);
}

template <class Result = long, class... Arguments> Result kernel(long number, Arguments... arguments) {
    return static_cast<Result>(::syscall(number, word(arguments)...));
}

constexpr long signal_set_bytes = 8;  // size of the kernel's sigset_t

timespec from_milliseconds(int count) noexcept { return {count / 1000, static_cast<long>(count % 1000) * 1'000'000}; }

int kernel_poll(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask) {
    timespec left = limit != nullptr ? *limit : timespec{};
    return kernel<int>(SYS_ppoll, descriptors, count, limit != nullptr ? &left : nullptr, mask, signal_set_bytes);
}

int kernel_poll(pollfd* descriptors, nfds_t count, int milliseconds) {
    const timespec limit = from_milliseconds(milliseconds);
    return kernel_poll(descriptors, count, milliseconds < 0 ? nullptr : &limit, nullptr);
}

int kernel_select(int count, fd_set* reads, fd_set* writes, fd_set* excepts, timespec* left, const sigset_t* mask) {
    const struct {
        const sigset_t* mask;
        long bytes;
    } signals{mask, signal_set_bytes};
    return kernel<int>(SYS_pselect6, count, reads, writes, excepts, left, &signals);
}

/// system(3) as POSIX specifies it: while the command runs, the caller ignores SIGINT and SIGQUIT and blocks SIGCHLD.
int run_shell(const char* command) {
    if (command == nullptr) return 1;
    struct sigaction ignore {};
    struct sigaction interrupt {};
    struct sigaction quit {};
    ignore.sa_handler = SIG_IGN;
    sigset_t child;
    sigset_t before;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigaction(SIGINT, &ignore, &interrupt);
    ::sigaction(SIGQUIT, &ignore, &quit);
    ::pthread_sigmask(SIG_BLOCK, &child, &before);

    posix_spawnattr_t attributes;
    sigset_t by_default;
    ::sigemptyset(&by_default);
    if (interrupt.sa_handler != SIG_IGN) ::sigaddset(&by_default, SIGINT);
    if (quit.sa_handler != SIG_IGN) ::sigaddset(&by_default, SIGQUIT);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &before);
    ::posix_spawnattr_setsigdefault(&attributes, &by_default);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    const char* const arguments[]{"sh", "-c", command, nullptr};
    pid_t shell = -1;
    int status = 127 << 8;
    const bool runs =
        ::posix_spawn(&shell, "/bin/sh", nullptr, &attributes, const_cast<char**>(arguments), environ) == 0;
    ::posix_spawnattr_destroy(&attributes);
    while (runs && kernel<pid_t>(SYS_wait4, shell, &status, 0, nullptr) < 0) {
        if (errno == EINTR) continue;
        status = -1;
        break;
    }
    ::sigaction(SIGINT, &interrupt, nullptr);
    ::sigaction(SIGQUIT, &quit, nullptr);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return status;
}

void check_buffer(std::size_t requested, std::size_t available) {
    if (requested > available) __chk_fail();
}

}  // namespace

int nanosleep(const timespec* length, timespec* left) { return kernel<int>(SYS_nanosleep, length, left); }

int clock_nanosleep(clockid_t clock, int flags, const timespec* length, timespec* left) {
    const int saved = errno;
    const int error = kernel<int>(SYS_clock_nanosleep, clock, flags, length, left) == 0 ? 0 : errno;
    errno = saved;
    return error;
}

int usleep(useconds_t count) {
    const timespec length{static_cast<time_t>(count / 1'000'000), static_cast<long>(count % 1'000'000) * 1000};
    return kernel<int>(SYS_nanosleep, &length, nullptr);
}

unsigned sleep(unsigned count) {
    timespec length{static_cast<time_t>(count), 0};
    return kernel<int>(SYS_nanosleep, &length, &length) == 0 ? 0U : static_cast<unsigned>(length.tv_sec);
}

int poll(pollfd* descriptors, nfds_t count, int milliseconds) { return kernel_poll(descriptors, count, milliseconds); }

int ppoll(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask) {
    return kernel_poll(descriptors, count, limit, mask);
}

int poll_chk(pollfd* descriptors, nfds_t count, int milliseconds, std::size_t buffer_bytes) {
    check_buffer(count * sizeof(pollfd), buffer_bytes);
    return kernel_poll(descriptors, count, milliseconds);
}

int ppoll_chk(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask,
              std::size_t buffer_bytes) {
    check_buffer(count * sizeof(pollfd), buffer_bytes);
    return kernel_poll(descriptors, count, limit, mask);
}

int select(int count, fd_set* reads, fd_set* writes, fd_set* excepts, timeval* limit) {
    timespec left = limit != nullptr ? timespec{limit->tv_sec, limit->tv_usec * 1000} : timespec{};
    const int ready = kernel_select(count, reads, writes, excepts, limit != nullptr ? &left : nullptr, nullptr);
    if (limit != nullptr) *limit = {left.tv_sec, left.tv_nsec / 1000};
    return ready;
}

int pselect(int count, fd_set* reads, fd_set* writes, fd_set* excepts, const timespec* limit, const sigset_t* mask) {
    timespec left = limit != nullptr ? *limit : timespec{};
    return kernel_select(count, reads, writes, excepts, limit != nullptr ? &left : nullptr, mask);
}

int epoll_wait(int epoll, epoll_event* events, int events_max, int milliseconds) {
    return kernel<int>(SYS_epoll_pwait, epoll, events, events_max, milliseconds, nullptr, signal_set_bytes);
}

int epoll_pwait(int epoll, epoll_event* events, int events_max, int milliseconds, const sigset_t* mask) {
    return kernel<int>(SYS_epoll_pwait, epoll, events, events_max, milliseconds, mask, signal_set_bytes);
}

int connect(int socket, const sockaddr* address, socklen_t length) {
    return kernel<int>(SYS_connect, socket, address, length);
}

int accept(int socket, sockaddr* address, socklen_t* length) {
    return kernel<int>(SYS_accept, socket, address, length);
}

int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
    return kernel<int>(SYS_accept4, socket, address, length, flags);
}

ssize_t recv(int socket, void* into, std::size_t bytes, int flags) {
    return kernel<ssize_t>(SYS_recvfrom, socket, into, bytes, flags, nullptr, nullptr);
}

ssize_t recvfrom(int socket, void* into, std::size_t bytes, int flags, sockaddr* from, socklen_t* length) {
    return kernel<ssize_t>(SYS_recvfrom, socket, into, bytes, flags, from, length);
}

ssize_t recvmsg(int socket, msghdr* into, int flags) { return kernel<ssize_t>(SYS_recvmsg, socket, into, flags); }

int recvmmsg(int socket, mmsghdr* into, unsigned count, int flags, timespec* limit) {
    return kernel<int>(SYS_recvmmsg, socket, into, count, flags, limit);
}

ssize_t send(int socket, const void* from, std::size_t bytes, int flags) {
    return kernel<ssize_t>(SYS_sendto, socket, from, bytes, flags, nullptr, 0L);
}

ssize_t sendto(int socket, const void* from, std::size_t bytes, int flags, const sockaddr* to, socklen_t length) {
    return kernel<ssize_t>(SYS_sendto, socket, from, bytes, flags, to, length);
}

ssize_t sendmsg(int socket, const msghdr* from, int flags) { return kernel<ssize_t>(SYS_sendmsg, socket, from, flags); }

int sendmmsg(int socket, mmsghdr* from, unsigned count, int flags) {
    return kernel<int>(SYS_sendmmsg, socket, from, count, flags);
}

ssize_t recv_chk(int socket, void* into, std::size_t bytes, std::size_t buffer_bytes, int flags) {
    check_buffer(bytes, buffer_bytes);
    return kernel<ssize_t>(SYS_recvfrom, socket, into, bytes, flags, nullptr, nullptr);
}

ssize_t recvfrom_chk(int socket, void* into, std::size_t bytes, std::size_t buffer_bytes, int flags, sockaddr* from,
                     socklen_t* length) {
    check_buffer(bytes, buffer_bytes);
    return kernel<ssize_t>(SYS_recvfrom, socket, into, bytes, flags, from, length);
}

ssize_t read(int fd, void* into, std::size_t bytes) { return kernel<ssize_t>(SYS_read, fd, into, bytes); }

ssize_t read_chk(int fd, void* into, std::size_t bytes, std::size_t buffer_bytes) {
    check_buffer(bytes, buffer_bytes);
    return kernel<ssize_t>(SYS_read, fd, into, bytes);
}

ssize_t readv(int fd, const iovec* into, int count) { return kernel<ssize_t>(SYS_readv, fd, into, count); }

ssize_t write(int fd, const void* from, std::size_t bytes) { return kernel<ssize_t>(SYS_write, fd, from, bytes); }

ssize_t writev(int fd, const iovec* from, int count) { return kernel<ssize_t>(SYS_writev, fd, from, count); }

// Never called: a static program uses the C library's strong definition (hooks.cpp).
int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_SYSTEM; }

int system(const char* command) { return run_shell(command); }

FILE* popen(const char* command, const char* mode) { return ::_IO_popen(command, mode); }

pid_t wait(int* status) { return kernel<pid_t>(SYS_wait4, -1, status, 0, nullptr); }

pid_t waitpid(pid_t child, int* status, int options) {
    return kernel<pid_t>(SYS_wait4, child, status, options, nullptr);
}

pid_t wait4(pid_t child, int* status, int options, rusage* usage) {
    return kernel<pid_t>(SYS_wait4, child, status, options, usage);
}

int waitid(idtype_t what, id_t id, siginfo_t* status, int options) {
    return kernel<int>(SYS_waitid, what, id, status, options, nullptr);
}

int flock(int fd, int operation) { return kernel<int>(SYS_flock, fd, operation); }

int lockf(int fd, int operation, off_t length) { return ::lockf64(fd, operation, length); }

int sem_wait(sem_t* semaphore) {
    constexpr timespec never{std::numeric_limits<time_t>::max(), 0};
    return ::sem_clockwait(semaphore, CLOCK_MONOTONIC, &never);
}

int sem_timedwait(sem_t* semaphore, const timespec* until) { return ::sem_clockwait(semaphore, CLOCK_REALTIME, until); }

int pthread_join(pthread_t thread, void** result) { return ::pthread_timedjoin_np(thread, result, nullptr); }

int fsync(int fd) { return kernel<int>(SYS_fsync, fd); }

int fdatasync(int fd) { return kernel<int>(SYS_fdatasync, fd); }

int pause() { return kernel<int>(SYS_ppoll, nullptr, 0L, nullptr, nullptr, 0L); }

int sigaction(int signal, const struct sigaction* action, struct sigaction* before) {
    const kernel_sigaction requested = action != nullptr ? as_kernel(*action) : kernel_sigaction{};
    kernel_sigaction replaced;
    const int done =
        kernel<int>(SYS_rt_sigaction, signal, action != nullptr ? &requested : nullptr, &replaced, signal_set_bytes);
    if (done == 0 && before != nullptr) *before = as_library(replaced);
    return done;
}

}  // namespace coir::detail::static_fallback
