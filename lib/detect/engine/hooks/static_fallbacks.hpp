#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>

/// @file
/// Replacements for the hooked functions in a static program, where a hook cannot call the C library's function. Each
/// makes the system call, or calls another function of the C library that does the same.
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

int thrd_sleep(const timespec* length, timespec* left);
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
int fcntl(int fd, int command, long argument);
int syncfs(int fd);
void sync();
int sync_file_range(int fd, off_t at, off_t bytes, unsigned flags);
int msync(void* memory, std::size_t bytes, int flags);
long syscall(long number, long a, long b, long c, long d, long e, long f);

hostent* gethostbyname(const char* host);
int gethostbyname_r(const char* host, hostent* into, char* buffer, std::size_t bytes, hostent** found, int* error);
hostent* gethostbyaddr(const void* address, socklen_t length, int family);
int getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_bytes, char* service,
                socklen_t service_bytes, int flags);
int res_query(const char* name, int wanted_class, int type, unsigned char* answer, int bytes);
int res_search(const char* name, int wanted_class, int type, unsigned char* answer, int bytes);
int res_nquery(res_state state, const char* name, int wanted_class, int type, unsigned char* answer, int bytes);
int pclose(FILE* pipe);
int posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment);
int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment);
pid_t wait3(int* status, int options, rusage* usage);

ssize_t mq_receive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority);
ssize_t mq_timedreceive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority, const timespec* until);
int mq_send(mqd_t queue, const char* from, std::size_t bytes, unsigned priority);
int mq_timedsend(mqd_t queue, const char* from, std::size_t bytes, unsigned priority, const timespec* until);
ssize_t msgrcv(int queue, void* into, std::size_t bytes, long type, int flags);
int msgsnd(int queue, const void* from, std::size_t bytes, int flags);
int semop(int set, sembuf* operations, std::size_t count);
int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* limit);

int sigsuspend(const sigset_t* mask);
int sigwait(const sigset_t* signals, int* signal);
int sigwaitinfo(const sigset_t* signals, siginfo_t* info);
int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* limit);

int pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until);
int pthread_mutex_lock(pthread_mutex_t* mutex);
int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until);
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until);
int pthread_rwlock_rdlock(pthread_rwlock_t* lock);
int pthread_rwlock_wrlock(pthread_rwlock_t* lock);
int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until);
int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until);
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex);
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until);
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until);
int pthread_once(pthread_once_t* control, void (*function)());
int pthread_barrier_wait(pthread_barrier_t* barrier);
int mtx_lock(mtx_t* mutex);
int cnd_wait(cnd_t* condition, mtx_t* mutex);
int thrd_join(thrd_t thread, int* result);

int getc(FILE* file);
int getchar();
std::size_t fread(void* into, std::size_t bytes, std::size_t count, FILE* file);
std::size_t fread_chk(void* into, std::size_t buffer_bytes, std::size_t bytes, std::size_t count, FILE* file);
char* fgets(char* into, int bytes, FILE* file);
char* fgets_chk(char* into, std::size_t buffer_bytes, int bytes, FILE* file);
ssize_t getline(char** line, std::size_t* bytes, FILE* file);
ssize_t getdelim(char** line, std::size_t* bytes, int delimiter, FILE* file);
int vfscanf(FILE* file, const char* format, va_list arguments);
int putc(int character, FILE* file);
int putchar(int character);
std::size_t fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file);
int fputs(const char* text, FILE* file);
int puts(const char* text);
int vfprintf(FILE* file, const char* format, va_list arguments);
int vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments);
int fflush(FILE* file);
void flockfile(FILE* file);
FILE* fopen(const char* path, const char* mode);

int sigaction(int signal, const struct sigaction* action, struct sigaction* before);

}  // namespace coir::detail::static_fallback
