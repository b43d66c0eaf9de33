// With _FORTIFY_SOURCE the headers of the C library would redirect the functions that are defined here to checking
// variants.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/hooks.hpp"

#include "base/own_module.hpp"
#include "detect/calls/call_model.hpp"
#include "detect/calls/classes.hpp"
#include "detect/calls/system_calls.hpp"
#include "detect/engine/hooks/lock_hooks.hpp"
#include "detect/engine/hooks/static_fallbacks.hpp"
#include "detect/engine/hooks/stdio_hooks.hpp"
#include "detect/engine/hooks/watched_function.hpp"
#include "detect/engine/trap/trap.hpp"

#include <arpa/inet.h>
#include <cstddef>
#include <cstdio>
#include <dlfcn.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <type_traits>
#include <unistd.h>

// In a static program there is no next function. There a hook calls a static fallback (static_fallbacks.hpp).
// getnameinfo cannot have a fallback, so it has no hook; a hook would break it in a static program. getaddrinfo shares
// an object file of the C library with freeaddrinfo. A reference to freeaddrinfo brings the C library's strong
// definition of getaddrinfo into a static program, where it overrides the hook.

namespace coir::detail {

namespace {

[[gnu::used]] void (*const neighbour_of_getaddrinfo)(addrinfo*) = ::freeaddrinfo;

using category = blocking_class;

// ---- models of calls -----------------------------------------------------------------------------------------------

call_model of_poll(nfds_t count, bool waits) noexcept { return model_of_poll(static_cast<long>(count), waits); }

// For read and write. Check O_NONBLOCK first, which makes fstat(2) unnecessary for most calls.
call_model of_read(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_read(fd); }
call_model of_write(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_write(fd); }

/// The model that traps have for the same system call.
template <class... Arguments> call_model of_system_call(long number, Arguments... arguments) noexcept {
    [[maybe_unused]] constexpr auto word = [](auto value) noexcept {
        if constexpr (std::is_pointer_v<decltype(value)>)
            return reinterpret_cast<long>(value);
        else
            return static_cast<long>(value);
    };
    return model_of({number, {word(arguments)...}});
}

/// A transfer between descriptors: reported if it slept.
template <class... Arguments> call_model of_transfer(long number, Arguments... arguments) noexcept {
    const call_model model = of_system_call(number, arguments...);
    return model.category == category::disk ? never_sleeps : if_slept(may_sleep(model.category));
}

/// The C library finds the name of a numeric address, and the address in a numeric name, by itself.
bool is_numeric(const char* host) noexcept {
    in6_addr address{};
    return host == nullptr || ::inet_pton(AF_INET, host, &address) == 1 || ::inet_pton(AF_INET6, host, &address) == 1;
}

call_model of_look_up(const char* host) noexcept { return may_sleep_if(!is_numeric(host), category::dns); }

call_model of_fcntl(int fd, int command, long argument) noexcept {
    // Not the model of the system call for other commands, which are frequent.
    const bool locks = command == F_SETLKW || command == F_OFD_SETLKW;
    return locks ? of_system_call(SYS_fcntl, fd, command, argument) : never_sleeps;
}

call_model of_semaphore(sem_t* semaphore) noexcept {
    int permits = 0;
    const bool has_permits = ::sem_getvalue(semaphore, &permits) == 0 && permits > 0;
    return may_sleep_if(!has_permits, category::lock);
}

call_model of_semaphore_until(sem_t* semaphore, clockid_t clock, const timespec* until) noexcept {
    return is_over(clock, until) ? never_sleeps : of_semaphore(semaphore);
}

call_model of_join_until(clockid_t clock, const timespec* until) noexcept {
    return may_sleep_if(!is_over(clock, until), category::lock);
}

}  // namespace

std::string calls_without_hooks() {
    link_stdio_hooks();
    if (is_static_program()) return "getaddrinfo has no hook, because the program is linked statically";
    // The dynamic linker resolves a name to the first definition in its search order.
    if (own_module::contains(::dlsym(RTLD_DEFAULT, "nanosleep"))) return locks_without_hooks();
    if (own_module::is_program())
        return "hooks do not see calls from shared libraries, because the program does not export the hooks";
    const std::string plugin = own_module::name();
    const std::string why = ", and the dynamic linker searches that library after the C library";
    // A plugin that does not export the hooks calls its own ones.
    if (own_module::contains(reinterpret_cast<const void*>(&::nanosleep)))
        return "hooks see only the calls of " + plugin + ", because coir is inside it" + why;
    return "hooks see no calls, because coir is inside " + plugin + why +
           " (link it with -Wl,--exclude-libs,ALL to see its own)";
}

}  // namespace coir::detail

using namespace coir::detail;

// ---- sleep ---------------------------------------------------------------------------------------------------------

COIR_HOOK int nanosleep(const timespec* length, timespec* left) {
    COIR_NEXT next{"nanosleep", static_fallback::nanosleep};
    return watched(next, [&] { return model_of_sleep(length); })(length, left);
}

COIR_HOOK int clock_nanosleep(clockid_t clock, int flags, const timespec* length, timespec* left) {
    COIR_NEXT next{"clock_nanosleep", static_fallback::clock_nanosleep};
    return watched(next, [&] { return model_of_sleep(length); })(clock, flags, length, left);
}

COIR_HOOK int usleep(useconds_t microseconds) {
    COIR_NEXT next{"usleep", static_fallback::usleep};
    return watched(next, [&] { return may_sleep_if(microseconds > 0, category::sleep); })(microseconds);
}

COIR_HOOK unsigned sleep(unsigned seconds) {
    COIR_NEXT next{"sleep", static_fallback::sleep};
    return watched(next, [&] { return may_sleep_if(seconds > 0, category::sleep); })(seconds);
}

COIR_HOOK int thrd_sleep(const timespec* length, timespec* left) {
    COIR_NEXT next{"thrd_sleep", static_fallback::thrd_sleep};
    return watched(next, [&] { return model_of_sleep(length); })(length, left);
}

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

// ---- names ---------------------------------------------------------------------------------------------------------

COIR_HOOK int getaddrinfo(const char* host, const char* service, const addrinfo* wanted, addrinfo** found) {
    COIR_NEXT next{"getaddrinfo", static_fallback::getaddrinfo};
    return watched_by_name(next, [&] {
        const bool is_told = wanted != nullptr && (wanted->ai_flags & AI_NUMERICHOST) != 0;
        return is_told ? never_sleeps : of_look_up(host);
    })(host, service, wanted, found);
}

COIR_HOOK hostent* gethostbyname(const char* host) {
    COIR_NEXT next{"gethostbyname", static_fallback::gethostbyname};
    return watched_by_name(next, [&] { return of_look_up(host); })(host);
}

COIR_HOOK int gethostbyname_r(const char* host, hostent* into, char* buffer, std::size_t bytes, hostent** found,
                              int* error) {
    COIR_NEXT next{"gethostbyname_r", static_fallback::gethostbyname_r};
    return watched_by_name(next, [&] { return of_look_up(host); })(host, into, buffer, bytes, found, error);
}

COIR_HOOK hostent* gethostbyaddr(const void* address, socklen_t length, int family) {
    COIR_NEXT next{"gethostbyaddr", static_fallback::gethostbyaddr};
    return watched_by_name(next, [] { return may_sleep(category::dns); })(address, length, family);
}

// ---- processes -----------------------------------------------------------------------------------------------------

COIR_HOOK int system(const char* command) {
    COIR_NEXT next{"system", static_fallback::system};
    return watched_by_name(next, [&] { return may_sleep_if(command != nullptr, category::process); })(command);
}

COIR_HOOK FILE* popen(const char* command, const char* mode) {
    COIR_NEXT next{"popen", static_fallback::popen};
    return watched_by_name(next, [] { return may_sleep(category::process); })(command, mode);
}

COIR_HOOK int pclose(FILE* pipe) {
    COIR_NEXT next{"pclose", static_fallback::pclose};
    return watched_by_name(next, [] { return may_sleep(category::process); })(pipe);
}

/// Sleeps until the child has called execve(2).
COIR_HOOK int posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                          const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment) {
    COIR_NEXT next{"posix_spawn", static_fallback::posix_spawn, "GLIBC_2.15"};
    return watched_by_name(next, [] { return may_sleep(category::process); })(child, path, actions, attributes,
                                                                              arguments, environment);
}

COIR_HOOK int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                           const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment) {
    COIR_NEXT next{"posix_spawnp", static_fallback::posix_spawnp, "GLIBC_2.15"};
    return watched_by_name(next, [] { return may_sleep(category::process); })(child, file, actions, attributes,
                                                                              arguments, environment);
}

COIR_HOOK pid_t wait(int* status) {
    COIR_NEXT next{"wait", static_fallback::wait};
    return watched(next, [] { return may_sleep(category::process); })(status);
}

COIR_HOOK pid_t waitpid(pid_t child, int* status, int options) {
    COIR_NEXT next{"waitpid", static_fallback::waitpid};
    return watched(next, [&] { return may_sleep_if((options & WNOHANG) == 0, category::process); })(child, status,
                                                                                                    options);
}

COIR_HOOK pid_t wait3(int* status, int options, rusage* usage) noexcept {
    COIR_NEXT next{"wait3", static_fallback::wait3};
    return watched(next, [&] { return may_sleep_if((options & WNOHANG) == 0, category::process); })(status, options,
                                                                                                    usage);
}

COIR_HOOK pid_t wait4(pid_t child, int* status, int options, rusage* usage) noexcept {
    COIR_NEXT next{"wait4", static_fallback::wait4};
    return watched(next, [&] { return may_sleep_if((options & WNOHANG) == 0, category::process); })(child, status,
                                                                                                    options, usage);
}

COIR_HOOK int waitid(idtype_t what, id_t id, siginfo_t* status, int options) {
    COIR_NEXT next{"waitid", static_fallback::waitid};
    return watched(next, [&] { return may_sleep_if((options & WNOHANG) == 0, category::process); })(what, id, status,
                                                                                                    options);
}

// ---- locks and threads ---------------------------------------------------------------------------------------------

COIR_HOOK int flock(int fd, int operation) noexcept {
    COIR_NEXT next{"flock", static_fallback::flock};
    return watched(next,
                   [&] { return may_sleep_if((operation & (LOCK_NB | LOCK_UN)) == 0, category::lock); })(fd, operation);
}

COIR_HOOK int lockf(int fd, int operation, off_t length) {
    COIR_NEXT next{"lockf", static_fallback::lockf};
    return watched(next, [&] { return may_sleep_if(operation == F_LOCK, category::lock); })(fd, operation, length);
}

COIR_HOOK int sem_wait(sem_t* semaphore) {
    COIR_NEXT next{"sem_wait", static_fallback::sem_wait};
    return watched(next, [&] { return of_semaphore(semaphore); })(semaphore);
}

COIR_HOOK int sem_timedwait(sem_t* semaphore, const timespec* until) {
    COIR_NEXT next{"sem_timedwait", static_fallback::sem_timedwait};
    return watched(next, [&] { return of_semaphore_until(semaphore, CLOCK_REALTIME, until); })(semaphore, until);
}

COIR_HOOK int pthread_join(pthread_t thread, void** result) {
    COIR_NEXT next{"pthread_join", static_fallback::pthread_join};
    return watched_by_name(next, [] { return may_sleep(category::lock); })(thread, result);
}

COIR_HOOK int pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until) {
    COIR_NEXT next{"pthread_timedjoin_np", static_fallback::pthread_timedjoin_np};
    return watched_by_name(next, [&] { return of_join_until(CLOCK_REALTIME, until); })(thread, result, until);
}

COIR_HOOK int thrd_join(thrd_t thread, int* result) {
    COIR_NEXT next{"thrd_join", static_fallback::thrd_join};
    return watched_by_name(next, [] { return may_sleep(category::lock); })(thread, result);
}

// ---- file locks, queues and semaphores of other processes -----------------------------------------------------------

/// fcntl takes a variable number of arguments, in the same registers as this function. So do the functions below that
/// have a name after `asm`.
COIR_HOOK int hook_of_fcntl(int fd, int command, long argument) asm("fcntl");
int hook_of_fcntl(int fd, int command, long argument) {
    COIR_NEXT next{"fcntl", static_fallback::fcntl, static_fallback::fcntl};
    return watched(next, [&] { return of_fcntl(fd, command, argument); })(fd, command, argument);
}

COIR_HOOK int hook_of_fcntl64(int fd, int command, long argument) asm("fcntl64");
int hook_of_fcntl64(int fd, int command, long argument) {
    COIR_NEXT next{"fcntl64", "fcntl", static_fallback::fcntl};
    return watched(next, [&] { return of_fcntl(fd, command, argument); })(fd, command, argument);
}

COIR_HOOK ssize_t mq_receive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority) {
    COIR_NEXT next{"mq_receive", static_fallback::mq_receive};
    return watched(next, [&] { return may_sleep_if(!is_nonblocking(queue), category::lock); })(queue, into, bytes,
                                                                                               priority);
}

COIR_HOOK ssize_t mq_timedreceive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority,
                                  const timespec* until) {
    COIR_NEXT next{"mq_timedreceive", static_fallback::mq_timedreceive};
    return watched(next, [&] { return of_system_call(SYS_mq_timedreceive, queue, into, bytes, priority, until); })(
        queue, into, bytes, priority, until);
}

COIR_HOOK int mq_send(mqd_t queue, const char* from, std::size_t bytes, unsigned priority) {
    COIR_NEXT next{"mq_send", static_fallback::mq_send};
    return watched(next, [&] { return may_sleep_if(!is_nonblocking(queue), category::lock); })(queue, from, bytes,
                                                                                               priority);
}

COIR_HOOK int mq_timedsend(mqd_t queue, const char* from, std::size_t bytes, unsigned priority, const timespec* until) {
    COIR_NEXT next{"mq_timedsend", static_fallback::mq_timedsend};
    return watched(next, [&] { return of_system_call(SYS_mq_timedsend, queue, from, bytes, priority, until); })(
        queue, from, bytes, priority, until);
}

COIR_HOOK ssize_t msgrcv(int queue, void* into, std::size_t bytes, long type, int flags) {
    COIR_NEXT next{"msgrcv", static_fallback::msgrcv};
    return watched(next, [&] { return may_sleep_if((flags & IPC_NOWAIT) == 0, category::lock); })(queue, into, bytes,
                                                                                                  type, flags);
}

COIR_HOOK int msgsnd(int queue, const void* from, std::size_t bytes, int flags) {
    COIR_NEXT next{"msgsnd", static_fallback::msgsnd};
    return watched(next, [&] { return may_sleep_if((flags & IPC_NOWAIT) == 0, category::lock); })(queue, from, bytes,
                                                                                                  flags);
}

COIR_HOOK int semop(int set, sembuf* operations, std::size_t count) noexcept {
    COIR_NEXT next{"semop", static_fallback::semop};
    return watched(next, [&] { return of_system_call(SYS_semop, set, operations, count); })(set, operations, count);
}

COIR_HOOK int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* limit) noexcept {
    COIR_NEXT next{"semtimedop", static_fallback::semtimedop};
    return watched(next, [&] { return of_system_call(SYS_semtimedop, set, operations, count, limit); })(set, operations,
                                                                                                        count, limit);
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

// ---- signals -------------------------------------------------------------------------------------------------------

COIR_HOOK int sigaction(int signal, const struct sigaction* action, struct sigaction* before) noexcept {
    COIR_NEXT next{"sigaction", static_fallback::sigaction};
    return sigaction_beside_traps(next.get(), signal, action, before);
}

COIR_HOOK int pause() {
    COIR_NEXT next{"pause", static_fallback::pause};
    return watched(next, [] { return may_sleep(category::signal); })();
}

COIR_HOOK int sigsuspend(const sigset_t* mask) {
    COIR_NEXT next{"sigsuspend", static_fallback::sigsuspend};
    return watched(next, [] { return may_sleep(category::signal); })(mask);
}

COIR_HOOK int sigwait(const sigset_t* signals, int* signal) {
    COIR_NEXT next{"sigwait", static_fallback::sigwait};
    return watched(next, [] { return may_sleep(category::signal); })(signals, signal);
}

COIR_HOOK int sigwaitinfo(const sigset_t* signals, siginfo_t* info) {
    COIR_NEXT next{"sigwaitinfo", static_fallback::sigwaitinfo};
    return watched(next, [] { return may_sleep(category::signal); })(signals, info);
}

COIR_HOOK int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* limit) {
    COIR_NEXT next{"sigtimedwait", static_fallback::sigtimedwait};
    return watched(next, [&] { return may_sleep_if(!is_zero(limit), category::signal); })(signals, info, limit);
}

// ---- any system call -----------------------------------------------------------------------------------------------

/// The C++ library waits with futex(2) in std::future, std::latch, std::atomic::wait and initialisers of static
/// variables; liburing enters the kernel here.
COIR_HOOK long hook_of_syscall(long number, long a, long b, long c, long d, long e, long f) asm("syscall");
long hook_of_syscall(long number, long a, long b, long c, long d, long e, long f) {
    COIR_NEXT next{"syscall", static_fallback::syscall, static_fallback::syscall};
    monitor* const active = monitor::active(coir::blocking_engine::hooks, coir::blocking_engine::hooks);
    if (active == nullptr) [[likely]]
        return next(number, a, b, c, d, e, f);
    const call_model model = of_system_call(number, a, b, c, d, e, f);
    if (model.when != call_model::sleeps::unless_ready || !active->wants(model.category) || is_in_vfork_child(*active))
        return next(number, a, b, c, d, e, f);
    const watched_call call{*active, name_of_system_call(number), model, __builtin_return_address(0)};
    return next(number, a, b, c, d, e, f);
}
