// With _FORTIFY_SOURCE the headers of the C library would redirect the functions that are defined here to checking
// variants.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/descriptor_hooks.hpp"

#include "detect/calls/call_model.hpp"
#include "detect/engine/hooks/descriptor_fallbacks.hpp"
#include "detect/engine/hooks/watched_function.hpp"

#include <cstddef>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace coir::detail {

void link_descriptor_hooks() noexcept {}

namespace {

using category = blocking_class;

call_model of_poll(nfds_t count, bool waits) noexcept { return model_of_poll(static_cast<long>(count), waits); }

// For read and write. Check O_NONBLOCK first, which makes fstat(2) unnecessary for most calls.
call_model of_read(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_read(fd); }
call_model of_write(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_write(fd); }

/// A transfer between descriptors: reported if it slept.
template <class... Arguments> call_model of_transfer(long number, Arguments... arguments) noexcept {
    const call_model model = model_of_system_call(number, arguments...);
    return model.category == category::disk ? never_sleeps : if_slept(may_sleep(model.category));
}

}  // namespace

}  // namespace coir::detail

using namespace coir::detail;

// ---- poll ----------------------------------------------------------------------------------------------------------

COIR_HOOK int poll(pollfd* descriptors, nfds_t count, int milliseconds) {
    COIR_NEXT next{"poll", static_fallback::poll};
    return watched(next, [&] { return of_poll(count, milliseconds != 0); })(descriptors, count, milliseconds);
}

COIR_HOOK int ppoll(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask) {
    COIR_NEXT next{"ppoll", static_fallback::ppoll};
    return watched(next, [&] { return of_poll(count, !is_zero(limit)); })(descriptors, count, limit, mask);
}

COIR_HOOK int __poll_chk(pollfd* descriptors, nfds_t count, int milliseconds, std::size_t buffer_bytes) {
    COIR_NEXT next{"__poll_chk", "poll", static_fallback::poll_chk};
    return watched(next, [&] { return of_poll(count, milliseconds != 0); })(descriptors, count, milliseconds,
                                                                            buffer_bytes);
}

COIR_HOOK int __ppoll_chk(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask,
                          std::size_t buffer_bytes) {
    COIR_NEXT next{"__ppoll_chk", "ppoll", static_fallback::ppoll_chk};
    return watched(next, [&] { return of_poll(count, !is_zero(limit)); })(descriptors, count, limit, mask,
                                                                          buffer_bytes);
}

COIR_HOOK int select(int count, fd_set* reads, fd_set* writes, fd_set* excepts, timeval* limit) {
    COIR_NEXT next{"select", static_fallback::select};
    return watched(next, [&] { return model_of_poll(count, !is_zero(limit)); })(count, reads, writes, excepts, limit);
}

COIR_HOOK int pselect(int count, fd_set* reads, fd_set* writes, fd_set* excepts, const timespec* limit,
                      const sigset_t* mask) {
    COIR_NEXT next{"pselect", static_fallback::pselect};
    return watched(next, [&] { return model_of_poll(count, !is_zero(limit)); })(count, reads, writes, excepts, limit,
                                                                                mask);
}

COIR_HOOK int epoll_wait(int epoll, epoll_event* events, int events_max, int milliseconds) {
    COIR_NEXT next{"epoll_wait", static_fallback::epoll_wait};
    return watched(next, [&] { return may_sleep_if(milliseconds != 0, category::poll); })(epoll, events, events_max,
                                                                                          milliseconds);
}

COIR_HOOK int epoll_pwait(int epoll, epoll_event* events, int events_max, int milliseconds, const sigset_t* mask) {
    COIR_NEXT next{"epoll_pwait", static_fallback::epoll_pwait};
    return watched(next, [&] { return may_sleep_if(milliseconds != 0, category::poll); })(epoll, events, events_max,
                                                                                          milliseconds, mask);
}

COIR_HOOK int epoll_pwait2(int epoll, epoll_event* events, int events_max, const timespec* limit,
                           const sigset_t* mask) {
    COIR_NEXT next{"epoll_pwait2", static_fallback::epoll_pwait2};
    return watched(next, [&] { return may_sleep_if(!is_zero(limit), category::poll); })(epoll, events, events_max,
                                                                                        limit, mask);
}

// ---- sockets -------------------------------------------------------------------------------------------------------

COIR_HOOK int connect(int socket, const sockaddr* address, socklen_t length) {
    COIR_NEXT next{"connect", static_fallback::connect};
    return watched(next, [&] { return model_of_connect(socket); })(socket, address, length);
}

COIR_HOOK int accept(int socket, sockaddr* address, socklen_t* length) {
    COIR_NEXT next{"accept", static_fallback::accept};
    return watched(next, [&] { return model_of_socket(socket); })(socket, address, length);
}

COIR_HOOK int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
    COIR_NEXT next{"accept4", static_fallback::accept4};
    return watched(next, [&] { return model_of_socket(socket); })(socket, address, length, flags);
}

COIR_HOOK ssize_t recv(int socket, void* into, std::size_t bytes, int flags) {
    COIR_NEXT next{"recv", static_fallback::recv};
    return watched(next, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, flags);
}

COIR_HOOK ssize_t recvfrom(int socket, void* into, std::size_t bytes, int flags, sockaddr* from, socklen_t* length) {
    COIR_NEXT next{"recvfrom", static_fallback::recvfrom};
    return watched(next, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, flags, from, length);
}

COIR_HOOK ssize_t recvmsg(int socket, msghdr* into, int flags) {
    COIR_NEXT next{"recvmsg", static_fallback::recvmsg};
    return watched(next, [&] { return model_of_socket(socket, flags); })(socket, into, flags);
}

COIR_HOOK int recvmmsg(int socket, mmsghdr* into, unsigned count, int flags, timespec* limit) {
    COIR_NEXT next{"recvmmsg", static_fallback::recvmmsg};
    return watched(next, [&] { return model_of_socket(socket, flags); })(socket, into, count, flags, limit);
}

COIR_HOOK ssize_t send(int socket, const void* from, std::size_t bytes, int flags) {
    COIR_NEXT next{"send", static_fallback::send};
    return watched(next, [&] { return model_of_send(socket, flags); })(socket, from, bytes, flags);
}

COIR_HOOK ssize_t sendto(int socket, const void* from, std::size_t bytes, int flags, const sockaddr* to,
                         socklen_t length) {
    COIR_NEXT next{"sendto", static_fallback::sendto};
    return watched(next, [&] { return model_of_send(socket, flags); })(socket, from, bytes, flags, to, length);
}

COIR_HOOK ssize_t sendmsg(int socket, const msghdr* from, int flags) {
    COIR_NEXT next{"sendmsg", static_fallback::sendmsg};
    return watched(next, [&] { return model_of_send(socket, flags); })(socket, from, flags);
}

COIR_HOOK int sendmmsg(int socket, mmsghdr* from, unsigned count, int flags) {
    COIR_NEXT next{"sendmmsg", static_fallback::sendmmsg};
    return watched(next, [&] { return model_of_send(socket, flags); })(socket, from, count, flags);
}

COIR_HOOK ssize_t __recv_chk(int socket, void* into, std::size_t bytes, std::size_t buffer_bytes, int flags) {
    COIR_NEXT next{"__recv_chk", "recv", static_fallback::recv_chk};
    return watched(next, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, buffer_bytes, flags);
}

COIR_HOOK ssize_t __recvfrom_chk(int socket, void* into, std::size_t bytes, std::size_t buffer_bytes, int flags,
                                 sockaddr* from, socklen_t* length) {
    COIR_NEXT next{"__recvfrom_chk", "recvfrom", static_fallback::recvfrom_chk};
    return watched(next, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, buffer_bytes, flags, from,
                                                                         length);
}

// ---- any descriptor ------------------------------------------------------------------------------------------------

COIR_HOOK ssize_t read(int fd, void* into, std::size_t bytes) {
    COIR_NEXT next{"read", static_fallback::read};
    return watched(next, [&] { return of_read(fd); })(fd, into, bytes);
}

COIR_HOOK ssize_t __read_chk(int fd, void* into, std::size_t bytes, std::size_t buffer_bytes) {
    COIR_NEXT next{"__read_chk", "read", static_fallback::read_chk};
    return watched(next, [&] { return of_read(fd); })(fd, into, bytes, buffer_bytes);
}

COIR_HOOK ssize_t readv(int fd, const iovec* into, int count) {
    COIR_NEXT next{"readv", static_fallback::readv};
    return watched(next, [&] { return of_read(fd); })(fd, into, count);
}

COIR_HOOK ssize_t write(int fd, const void* from, std::size_t bytes) {
    COIR_NEXT next{"write", static_fallback::write};
    return watched(next, [&] { return of_write(fd); })(fd, from, bytes);
}

COIR_HOOK ssize_t writev(int fd, const iovec* from, int count) {
    COIR_NEXT next{"writev", static_fallback::writev};
    return watched(next, [&] { return of_write(fd); })(fd, from, count);
}

// pread and pwrite need a file that has positions: no pipe and no socket. preadv2 and pwritev2 take any, with -1.

COIR_HOOK ssize_t preadv2(int fd, const iovec* into, int count, off_t at, int flags) {
    COIR_NEXT next{"preadv2", static_fallback::preadv2};
    return watched(next, [&] { return (flags & RWF_NOWAIT) != 0 ? never_sleeps : of_read(fd); })(fd, into, count, at,
                                                                                                 flags);
}

COIR_HOOK ssize_t preadv64v2(int fd, const iovec* into, int count, off_t at, int flags) {
    COIR_NEXT next{"preadv64v2", "preadv2", static_fallback::preadv2};
    return watched(next, [&] { return (flags & RWF_NOWAIT) != 0 ? never_sleeps : of_read(fd); })(fd, into, count, at,
                                                                                                 flags);
}

COIR_HOOK ssize_t pwritev2(int fd, const iovec* from, int count, off_t at, int flags) {
    COIR_NEXT next{"pwritev2", static_fallback::pwritev2};
    return watched(next, [&] { return (flags & RWF_NOWAIT) != 0 ? never_sleeps : of_write(fd); })(fd, from, count, at,
                                                                                                  flags);
}

COIR_HOOK ssize_t pwritev64v2(int fd, const iovec* from, int count, off_t at, int flags) {
    COIR_NEXT next{"pwritev64v2", "pwritev2", static_fallback::pwritev2};
    return watched(next, [&] { return (flags & RWF_NOWAIT) != 0 ? never_sleeps : of_write(fd); })(fd, from, count, at,
                                                                                                  flags);
}

COIR_HOOK int eventfd_read(int fd, eventfd_t* value) {
    COIR_NEXT next{"eventfd_read", static_fallback::eventfd_read};
    return watched(next, [&] { return of_read(fd); })(fd, value);
}

COIR_HOOK int eventfd_write(int fd, eventfd_t value) {
    COIR_NEXT next{"eventfd_write", static_fallback::eventfd_write};
    return watched(next, [&] { return of_write(fd); })(fd, value);
}

COIR_HOOK ssize_t sendfile(int to, int from, off_t* at, std::size_t bytes) noexcept {
    COIR_NEXT next{"sendfile", static_fallback::sendfile};
    return watched(next, [&] { return of_transfer(SYS_sendfile, to, from); })(to, from, at, bytes);
}

COIR_HOOK ssize_t sendfile64(int to, int from, off_t* at, std::size_t bytes) noexcept {
    COIR_NEXT next{"sendfile64", "sendfile", static_fallback::sendfile};
    return watched(next, [&] { return of_transfer(SYS_sendfile, to, from); })(to, from, at, bytes);
}

COIR_HOOK ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t bytes, unsigned flags) {
    COIR_NEXT next{"splice", static_fallback::splice};
    return watched(next, [&] {
        return (flags & SPLICE_F_NONBLOCK) != 0 ? never_sleeps : of_transfer(SYS_splice, from, 0, to);
    })(from, from_at, to, to_at, bytes, flags);
}

COIR_HOOK ssize_t tee(int from, int to, std::size_t bytes, unsigned flags) {
    COIR_NEXT next{"tee", static_fallback::tee};
    return watched(next, [&] {
        return (flags & SPLICE_F_NONBLOCK) != 0 ? never_sleeps : of_transfer(SYS_tee, from, to);
    })(from, to, bytes, flags);
}

COIR_HOOK ssize_t vmsplice(int fd, const iovec* from, std::size_t count, unsigned flags) {
    COIR_NEXT next{"vmsplice", static_fallback::vmsplice};
    return watched(next, [&] {
        return (flags & SPLICE_F_NONBLOCK) != 0 ? never_sleeps : of_transfer(SYS_vmsplice, fd);
    })(fd, from, count, flags);
}

// ---- files ---------------------------------------------------------------------------------------------------------

COIR_HOOK int hook_of_open(const char* path, int flags, unsigned mode) asm("open");
int hook_of_open(const char* path, int flags, unsigned mode) {
    COIR_NEXT next{"open", static_fallback::open, static_fallback::open};
    return watched(next, [&] { return model_of_open(flags); })(path, flags, mode);
}

COIR_HOOK int hook_of_open64(const char* path, int flags, unsigned mode) asm("open64");
int hook_of_open64(const char* path, int flags, unsigned mode) {
    COIR_NEXT next{"open64", "open", static_fallback::open};
    return watched(next, [&] { return model_of_open(flags); })(path, flags, mode);
}

COIR_HOOK int hook_of_openat(int folder, const char* path, int flags, unsigned mode) asm("openat");
int hook_of_openat(int folder, const char* path, int flags, unsigned mode) {
    COIR_NEXT next{"openat", static_fallback::openat, static_fallback::openat};
    return watched(next, [&] { return model_of_open(flags); })(folder, path, flags, mode);
}

COIR_HOOK int hook_of_openat64(int folder, const char* path, int flags, unsigned mode) asm("openat64");
int hook_of_openat64(int folder, const char* path, int flags, unsigned mode) {
    COIR_NEXT next{"openat64", "openat", static_fallback::openat};
    return watched(next, [&] { return model_of_open(flags); })(folder, path, flags, mode);
}

COIR_HOOK int truncate(const char* path, off_t length) noexcept {
    COIR_NEXT next{"truncate", static_fallback::truncate};
    return watched(next, [] { return model_of_open(0); })(path, length);
}

COIR_HOOK int close(int fd) {
    COIR_NEXT next{"close", static_fallback::close, static_fallback::close};
    return watched(next, [&] { return model_of_close(fd); })(fd);
}

// ---- disks ---------------------------------------------------------------------------------------------------------

COIR_HOOK int fsync(int fd) {
    COIR_NEXT next{"fsync", static_fallback::fsync};
    return watched(next, [&] { return model_of_sync(fd); })(fd);
}

COIR_HOOK int fdatasync(int fd) {
    COIR_NEXT next{"fdatasync", static_fallback::fdatasync};
    return watched(next, [&] { return model_of_sync(fd); })(fd);
}

COIR_HOOK int syncfs(int fd) noexcept {
    COIR_NEXT next{"syncfs", static_fallback::syncfs};
    return watched(next, [&] { return model_of_sync(fd); })(fd);
}

COIR_HOOK void sync() noexcept {
    COIR_NEXT next{"sync", static_fallback::sync};
    return watched(next, [] { return may_sleep(category::disk); })();
}

COIR_HOOK int sync_file_range(int fd, off_t at, off_t bytes, unsigned flags) {
    COIR_NEXT next{"sync_file_range", static_fallback::sync_file_range};
    return watched(next, [] { return may_sleep(category::disk); })(fd, at, bytes, flags);
}

COIR_HOOK int msync(void* memory, std::size_t bytes, int flags) {
    COIR_NEXT next{"msync", static_fallback::msync};
    return watched(next, [&] { return may_sleep_if((flags & MS_SYNC) != 0, category::disk); })(memory, bytes, flags);
}
