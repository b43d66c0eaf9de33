#pragma once

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

/// @file
/// Replacements for the hooked functions in a static program, where a hook cannot call the C library's function. Each
/// makes the system call, or calls another public function that does the same.
namespace coir::detail::static_fallback {

int nanosleep(const timespec* length, timespec* left);
int clock_nanosleep(clockid_t clock, int flags, const timespec* length, timespec* left);
int usleep(useconds_t microseconds);
unsigned sleep(unsigned seconds);
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
int getaddrinfo(const char* host, const char* service, const addrinfo* wanted, addrinfo** found);
int system(const char* command);
FILE* popen(const char* command, const char* mode);
pid_t wait(int* status);
pid_t waitpid(pid_t child, int* status, int options);
pid_t wait4(pid_t child, int* status, int options, rusage* usage);
int waitid(idtype_t what, id_t id, siginfo_t* status, int options);
int flock(int fd, int operation);
int lockf(int fd, int operation, off_t length);
int sem_wait(sem_t* semaphore);
int sem_timedwait(sem_t* semaphore, const timespec* until);
int pthread_join(pthread_t thread, void** result);
int fsync(int fd);
int fdatasync(int fd);
int pause();
int sigaction(int signal, const struct sigaction* action, struct sigaction* before);

}  // namespace coir::detail::static_fallback
