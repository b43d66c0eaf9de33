// With _FORTIFY_SOURCE the headers of the C library would define some of these functions inline.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/descriptor_fallbacks.hpp"

#include "detect/engine/hooks/static_fallbacks.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

namespace coir::detail::static_fallback {

namespace {

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

}  // namespace

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

int fsync(int fd) { return kernel<int>(SYS_fsync, fd); }

int fdatasync(int fd) { return kernel<int>(SYS_fdatasync, fd); }

int epoll_pwait2(int epoll, epoll_event* events, int events_max, const timespec* limit, const sigset_t* mask) {
    return kernel<int>(SYS_epoll_pwait2, epoll, events, events_max, limit, mask, signal_set_bytes);
}

ssize_t preadv2(int fd, const iovec* into, int count, off_t at, int flags) {
    return kernel<ssize_t>(SYS_preadv2, fd, into, count, at, 0, flags);
}

ssize_t pwritev2(int fd, const iovec* from, int count, off_t at, int flags) {
    return kernel<ssize_t>(SYS_pwritev2, fd, from, count, at, 0, flags);
}

int eventfd_read(int fd, eventfd_t* value) { return read(fd, value, sizeof *value) == sizeof *value ? 0 : -1; }

int eventfd_write(int fd, eventfd_t value) { return write(fd, &value, sizeof value) == sizeof value ? 0 : -1; }

ssize_t sendfile(int to, int from, off_t* at, std::size_t bytes) {
    return kernel<ssize_t>(SYS_sendfile, to, from, at, bytes);
}

ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t bytes, unsigned flags) {
    return kernel<ssize_t>(SYS_splice, from, from_at, to, to_at, bytes, flags);
}

ssize_t tee(int from, int to, std::size_t bytes, unsigned flags) {
    return kernel<ssize_t>(SYS_tee, from, to, bytes, flags);
}

ssize_t vmsplice(int fd, const iovec* from, std::size_t count, unsigned flags) {
    return kernel<ssize_t>(SYS_vmsplice, fd, from, count, flags);
}

int open(const char* path, int flags, unsigned mode) { return openat(AT_FDCWD, path, flags, mode); }

int openat(int folder, const char* path, int flags, unsigned mode) {
    return kernel<int>(SYS_openat, folder, path, flags, mode);
}

int close(int fd) { return kernel<int>(SYS_close, fd); }

int truncate(const char* path, off_t length) { return kernel<int>(SYS_truncate, path, length); }

int syncfs(int fd) { return kernel<int>(SYS_syncfs, fd); }

void sync() { kernel(SYS_sync); }

int sync_file_range(int fd, off_t at, off_t bytes, unsigned flags) {
    return kernel<int>(SYS_sync_file_range, fd, at, bytes, flags);
}

int msync(void* memory, std::size_t bytes, int flags) { return kernel<int>(SYS_msync, memory, bytes, flags); }

}  // namespace coir::detail::static_fallback
