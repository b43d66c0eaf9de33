#pragma once

#include <cstddef>
#include <ctime>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/// @file
/// Static fallbacks (static_fallbacks.hpp) of the functions of sockets, files and other descriptors.
namespace coir::detail::static_fallback {

int poll(pollfd* descriptors, nfds_t count, int milliseconds);
int ppoll(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask);
int poll_chk(pollfd* descriptors, nfds_t count, int milliseconds, std::size_t buffer_bytes);
int ppoll_chk(pollfd* descriptors, nfds_t count, const timespec* limit, const sigset_t* mask, std::size_t buffer_bytes);
int select(int count, fd_set* reads, fd_set* writes, fd_set* excepts, timeval* limit);
int pselect(int count, fd_set* reads, fd_set* writes, fd_set* excepts, const timespec* limit, const sigset_t* mask);
int epoll_wait(int epoll, epoll_event* events, int events_max, int milliseconds);
int epoll_pwait(int epoll, epoll_event* events, int events_max, int milliseconds, const sigset_t* mask);
int connect(int socket, const sockaddr* address, socklen_t length);
int accept(int socket, sockaddr* address, socklen_t* length);
int accept4(int socket, sockaddr* address, socklen_t* length, int flags);
ssize_t recv(int socket, void* into, std::size_t bytes, int flags);
ssize_t recvfrom(int socket, void* into, std::size_t bytes, int flags, sockaddr* from, socklen_t* length);
ssize_t recvmsg(int socket, msghdr* into, int flags);
int recvmmsg(int socket, mmsghdr* into, unsigned count, int flags, timespec* limit);
ssize_t send(int socket, const void* from, std::size_t bytes, int flags);
ssize_t sendto(int socket, const void* from, std::size_t bytes, int flags, const sockaddr* to, socklen_t length);
ssize_t sendmsg(int socket, const msghdr* from, int flags);
int sendmmsg(int socket, mmsghdr* from, unsigned count, int flags);
ssize_t recv_chk(int socket, void* into, std::size_t bytes, std::size_t buffer_bytes, int flags);
ssize_t recvfrom_chk(int socket, void* into, std::size_t bytes, std::size_t buffer_bytes, int flags, sockaddr* from,
                     socklen_t* length);
ssize_t read(int fd, void* into, std::size_t bytes);
ssize_t read_chk(int fd, void* into, std::size_t bytes, std::size_t buffer_bytes);
ssize_t readv(int fd, const iovec* into, int count);
ssize_t write(int fd, const void* from, std::size_t bytes);
ssize_t writev(int fd, const iovec* from, int count);
int fsync(int fd);
int fdatasync(int fd);
int epoll_pwait2(int epoll, epoll_event* events, int events_max, const timespec* limit, const sigset_t* mask);
ssize_t preadv2(int fd, const iovec* into, int count, off_t at, int flags);
ssize_t pwritev2(int fd, const iovec* from, int count, off_t at, int flags);
int eventfd_read(int fd, eventfd_t* value);
int eventfd_write(int fd, eventfd_t value);
ssize_t sendfile(int to, int from, off_t* at, std::size_t bytes);
ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t bytes, unsigned flags);
ssize_t tee(int from, int to, std::size_t bytes, unsigned flags);
ssize_t vmsplice(int fd, const iovec* from, std::size_t count, unsigned flags);
int open(const char* path, int flags, unsigned mode);
int openat(int folder, const char* path, int flags, unsigned mode);
int truncate(const char* path, off_t length);
int close(int fd);
int syncfs(int fd);
void sync();
int sync_file_range(int fd, off_t at, off_t bytes, unsigned flags);
int msync(void* memory, std::size_t bytes, int flags);

}  // namespace coir::detail::static_fallback
