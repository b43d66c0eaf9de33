// With _FORTIFY_SOURCE the headers of the C library would redirect the functions that are defined here to checking
// variants.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/hooks.hpp"

#include "base/own_module.hpp"
#include "detect/calls/call_model.hpp"
#include "detect/engine/hooks/next_function.hpp"
#include "detect/engine/hooks/static_fallbacks.hpp"
#include "detect/engine/monitor.hpp"
#include "detect/engine/trap/trap.hpp"

#include <cstddef>
#include <cstdio>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// Each hook is a function with the name of a C library function. The dynamic linker resolves calls from the program and
// from its shared libraries to the hook, which then calls the next function of that name, the C library's. The hooks
// are weak, so that a program with a function of the same name still links and uses its own function.
//
// In a static program there is no next function. There a hook calls a static fallback (static_fallbacks.hpp).
// getnameinfo and gethostbyname cannot have a fallback, so they have no hook; a hook would break them in a static
// program. getaddrinfo shares an object file of the C library with freeaddrinfo. A reference to freeaddrinfo brings the
// C library's strong definition of getaddrinfo into a static program, where it overrides the hook.

#if defined(COIR_INTERCEPTED)
#define COIR_HOOK extern "C" [[gnu::noinline]]
#else
#define COIR_HOOK extern "C" [[gnu::weak, gnu::noinline]]
#endif

namespace coir::detail {

namespace {

[[gnu::used]] void (*const neighbour_of_getaddrinfo)(addrinfo*) = ::freeaddrinfo;

using category = blocking_class;

// ---- models of calls -----------------------------------------------------------------------------------------------

call_model of_poll(nfds_t count, bool waits) noexcept { return model_of_poll(static_cast<long>(count), waits); }

// For read and write. Check O_NONBLOCK first, which makes fstat(2) unnecessary for most calls.
call_model of_read(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_read(fd); }
call_model of_write(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_write(fd); }

call_model of_semaphore(sem_t* semaphore) noexcept {
    int permits = 0;
    const bool has_permits = ::sem_getvalue(semaphore, &permits) == 0 && permits > 0;
    return may_sleep_if(!has_permits, category::lock);
}

// ---- watching a call -----------------------------------------------------------------------------------------------

/// Calls the next function from a hook. If the running fiber is watched by an engine up to `last`, computes the model
/// of the call, and observes the call if its model is `unless_ready`. Calls with the model `unpredictable` are those on
/// regular files, which the page cache usually answers; observing each would double their cost. Always inlined into the
/// hook, so that the return address is that of the hook, in the code that called the function.
template <class Next, class Model> struct watched_function {
    template <class... Arguments> [[gnu::always_inline]] auto operator()(Arguments... arguments) const {
        monitor* const active = monitor::active(blocking_engine::hooks, last);
        if (active == nullptr) return next(arguments...);
        const call_model model = expected();
        if (model.when != call_model::sleeps::unless_ready || !active->wants(model.category)) return next(arguments...);
        const watched_call call{*active, next.reported_name(), model, __builtin_return_address(0)};
        return next(arguments...);
    }

    Next& next;
    blocking_engine last;
    Model expected;
};

/// For a function that is a single system call. With the trap engine the trap observes it instead of the hook.
template <class Next, class Model>
[[gnu::always_inline]] inline watched_function<Next, Model> watched(Next& next, Model expected) {
    return {next, blocking_engine::hooks, expected};
}

/// For a function whose name describes the wait better than its system calls do. Observed with every engine that has
/// hooks.
template <class Next, class Model>
[[gnu::always_inline]] inline watched_function<Next, Model> watched_by_name(Next& next, Model expected) {
    return {next, blocking_engine::trap, expected};
}

}  // namespace

std::string calls_without_hooks() {
    if (is_static_program()) return "getaddrinfo has no hook, because the program is linked statically";
    // The dynamic linker resolves a name to the first definition in its search order.
    if (own_module::contains(::dlsym(RTLD_DEFAULT, "nanosleep"))) return {};
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

// ---- names ---------------------------------------------------------------------------------------------------------

COIR_HOOK int getaddrinfo(const char* host, const char* service, const addrinfo* wanted, addrinfo** found) {
    COIR_NEXT next{"getaddrinfo", static_fallback::getaddrinfo};
    return watched_by_name(next, [] { return may_sleep(category::dns); })(host, service, wanted, found);
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

COIR_HOOK pid_t wait(int* status) {
    COIR_NEXT next{"wait", static_fallback::wait};
    return watched(next, [] { return may_sleep(category::process); })(status);
}

COIR_HOOK pid_t waitpid(pid_t child, int* status, int options) {
    COIR_NEXT next{"waitpid", static_fallback::waitpid};
    return watched(next, [&] { return may_sleep_if((options & WNOHANG) == 0, category::process); })(child, status,
                                                                                                    options);
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
    return watched(next, [&] { return of_semaphore(semaphore); })(semaphore, until);
}

COIR_HOOK int pthread_join(pthread_t thread, void** result) {
    COIR_NEXT next{"pthread_join", static_fallback::pthread_join};
    return watched_by_name(next, [] { return may_sleep(category::lock); })(thread, result);
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

// ---- signals -------------------------------------------------------------------------------------------------------

COIR_HOOK int sigaction(int signal, const struct sigaction* action, struct sigaction* before) noexcept {
    COIR_NEXT next{"sigaction", static_fallback::sigaction};
    return sigaction_beside_traps(next.get(), signal, action, before);
}

COIR_HOOK int pause() {
    COIR_NEXT next{"pause", static_fallback::pause};
    return watched(next, [] { return may_sleep(category::signal); })();
}
