// These are the functions that the C library's headers would replace by checking ones.
#undef _FORTIFY_SOURCE

#include "detect/hooks.hpp"

#include "base/own_module.hpp"
#include "detect/call_model.hpp"
#include "detect/monitor.hpp"
#include "detect/next_function.hpp"
#include "detect/static_fallbacks.hpp"
#include "detect/trap.hpp"

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

// Functions of the C library by their own names: a call from anywhere in the program, its libraries included, comes
// here first and goes on to the function behind. Weak, so that a program which has one of its own still links, and
// keeps it.
//
// In a static program there is nothing behind: there a static fallback takes its place (static_fallbacks.hpp). The
// look-ups by getnameinfo and gethostbyname have neither and thus no hook, or a static program would lose them;
// getaddrinfo has an object file in common with freeaddrinfo, and a reference to that brings the C library's own,
// strong definition into a static program: it is the one that counts there.

#if defined(COIR_INTERCEPTED)
#define COIR_HOOK extern "C" [[gnu::noinline]]
#else
#define COIR_HOOK extern "C" [[gnu::weak, gnu::noinline]]
#endif

namespace coir::detail {

namespace {

[[gnu::used]] void (*const neighbour_of_getaddrinfo)(addrinfo*) = ::freeaddrinfo;

using category = blocking_class;

// ---- which calls can sleep -----------------------------------------------------------------------------------------

call_model of_poll(nfds_t count, bool waits) noexcept { return model_of_poll(static_cast<long>(count), waits); }

/// For read and write. O_NONBLOCK comes first, as it spares most calls the fstat(2).
call_model of_stream(int fd) noexcept { return is_nonblocking(fd) ? never_sleeps : model_of_blocking_stream(fd); }

call_model of_output(int fd) noexcept { return model_of_output(fd, of_stream(fd)); }

call_model of_semaphore(sem_t* semaphore) noexcept {
    int permits = 0;
    const bool has_permits = ::sem_getvalue(semaphore, &permits) == 0 && permits > 0;
    return must_if(!has_permits, category::lock);
}

// ---- watching a call -----------------------------------------------------------------------------------------------

/// A function behind, to be called in a hook. In a fiber that is looked at by an engine up to `last`, asks what to
/// expect of the call, and watches it if it sleeps when it must. What sleeps at times is a regular file, most of whose
/// reads the page cache answers: to watch each would cost as much as they do. Inlined into the hook always: the return
/// address is the hook's, which lies in the code that called the function.
template <class Behind, class Model> struct watched_function {
    template <class... Arguments> [[gnu::always_inline]] auto operator()(Arguments... arguments) const {
        monitor* const looking = monitor::looking(blocking_engine::hooks, last);
        if (looking == nullptr) return behind(arguments...);
        const call_model said = expected();
        if (said.when != call_model::sleeps::if_it_must || !looking->wants(said.category)) return behind(arguments...);
        const watched_call call{*looking, behind.called(), said.category, __builtin_return_address(0), said.least};
        return behind(arguments...);
    }

    Behind& behind;
    blocking_engine last;
    Model expected;
};

/// A function that does no more than a system call: where there are traps, it is theirs.
template <class Behind, class Model>
[[gnu::always_inline]] inline watched_function<Behind, Model> watched(Behind& behind, Model expected) {
    return {behind, blocking_engine::hooks, expected};
}

/// A function whose name says more than the system calls that it makes.
template <class Behind, class Model>
[[gnu::always_inline]] inline watched_function<Behind, Model> watched_by_name(Behind& behind, Model expected) {
    return {behind, blocking_engine::trap, expected};
}

}  // namespace

std::string calls_without_hooks() {
    if (is_static_program()) return "getaddrinfo has no hook, as the program is linked statically";
    // A call of a function by its name reaches the first one in the order of the dynamic linker.
    if (own_module::contains(::dlsym(RTLD_DEFAULT, "nanosleep"))) return {};
    if (own_module::is_program()) return "hooks see no call of a shared library, as the program does not export them";
    const std::string plugin = own_module::name();
    const std::string why = ", which the dynamic linker searches after the C library";
    // Linked so that it exports none of them, a plugin calls its own.
    if (own_module::contains(reinterpret_cast<const void*>(&::nanosleep)))
        return "hooks see the calls of " + plugin + " alone, as coir is inside it" + why;
    return "hooks see no calls, as coir is inside " + plugin + why +
           " (link it with -Wl,--exclude-libs,ALL for its own)";
}

}  // namespace coir::detail

using namespace coir::detail;

// ---- sleep ---------------------------------------------------------------------------------------------------------

COIR_HOOK int nanosleep(const timespec* length, timespec* left) {
    COIR_BEHIND behind{"nanosleep", static_fallback::nanosleep};
    return watched(behind, [&] { return model_of_sleep(length); })(length, left);
}

COIR_HOOK int clock_nanosleep(clockid_t clock, int flags, const timespec* length, timespec* left) {
    COIR_BEHIND behind{"clock_nanosleep", static_fallback::clock_nanosleep};
    return watched(behind, [&] { return model_of_sleep(length); })(clock, flags, length, left);
}

COIR_HOOK int usleep(useconds_t microseconds) {
    COIR_BEHIND behind{"usleep", static_fallback::usleep};
    return watched(behind, [&] { return must_if(microseconds > 0, category::sleep); })(microseconds);
}

COIR_HOOK unsigned sleep(unsigned seconds) {
    COIR_BEHIND behind{"sleep", static_fallback::sleep};
    return watched(behind, [&] { return must_if(seconds > 0, category::sleep); })(seconds);
}

// ---- poll ----------------------------------------------------------------------------------------------------------

COIR_HOOK int poll(pollfd* asked, nfds_t count, int milliseconds) {
    COIR_BEHIND behind{"poll", static_fallback::poll};
    return watched(behind, [&] { return of_poll(count, milliseconds != 0); })(asked, count, milliseconds);
}

COIR_HOOK int ppoll(pollfd* asked, nfds_t count, const timespec* limit, const sigset_t* mask) {
    COIR_BEHIND behind{"ppoll", static_fallback::ppoll};
    return watched(behind, [&] { return of_poll(count, !is_zero(limit)); })(asked, count, limit, mask);
}

COIR_HOOK int __poll_chk(pollfd* asked, nfds_t count, int milliseconds, std::size_t room) {
    COIR_BEHIND behind{"__poll_chk", "poll", static_fallback::poll_chk};
    return watched(behind, [&] { return of_poll(count, milliseconds != 0); })(asked, count, milliseconds, room);
}

COIR_HOOK int __ppoll_chk(pollfd* asked, nfds_t count, const timespec* limit, const sigset_t* mask, std::size_t room) {
    COIR_BEHIND behind{"__ppoll_chk", "ppoll", static_fallback::ppoll_chk};
    return watched(behind, [&] { return of_poll(count, !is_zero(limit)); })(asked, count, limit, mask, room);
}

COIR_HOOK int select(int count, fd_set* reads, fd_set* writes, fd_set* excepts, timeval* limit) {
    COIR_BEHIND behind{"select", static_fallback::select};
    return watched(behind, [&] { return model_of_poll(count, !is_zero(limit)); })(count, reads, writes, excepts, limit);
}

COIR_HOOK int pselect(int count, fd_set* reads, fd_set* writes, fd_set* excepts, const timespec* limit,
                      const sigset_t* mask) {
    COIR_BEHIND behind{"pselect", static_fallback::pselect};
    return watched(behind, [&] { return model_of_poll(count, !is_zero(limit)); })(count, reads, writes, excepts, limit,
                                                                                  mask);
}

COIR_HOOK int epoll_wait(int epoll, epoll_event* events, int events_max, int milliseconds) {
    COIR_BEHIND behind{"epoll_wait", static_fallback::epoll_wait};
    return watched(behind, [&] { return must_if(milliseconds != 0, category::poll); })(epoll, events, events_max,
                                                                                       milliseconds);
}

COIR_HOOK int epoll_pwait(int epoll, epoll_event* events, int events_max, int milliseconds, const sigset_t* mask) {
    COIR_BEHIND behind{"epoll_pwait", static_fallback::epoll_pwait};
    return watched(behind, [&] { return must_if(milliseconds != 0, category::poll); })(epoll, events, events_max,
                                                                                       milliseconds, mask);
}

// ---- sockets -------------------------------------------------------------------------------------------------------

COIR_HOOK int connect(int socket, const sockaddr* address, socklen_t length) {
    COIR_BEHIND behind{"connect", static_fallback::connect};
    return watched(behind, [&] { return model_of_socket(socket); })(socket, address, length);
}

COIR_HOOK int accept(int socket, sockaddr* address, socklen_t* length) {
    COIR_BEHIND behind{"accept", static_fallback::accept};
    return watched(behind, [&] { return model_of_socket(socket); })(socket, address, length);
}

COIR_HOOK int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
    COIR_BEHIND behind{"accept4", static_fallback::accept4};
    return watched(behind, [&] { return model_of_socket(socket); })(socket, address, length, flags);
}

COIR_HOOK ssize_t recv(int socket, void* into, std::size_t bytes, int flags) {
    COIR_BEHIND behind{"recv", static_fallback::recv};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, flags);
}

COIR_HOOK ssize_t recvfrom(int socket, void* into, std::size_t bytes, int flags, sockaddr* from, socklen_t* length) {
    COIR_BEHIND behind{"recvfrom", static_fallback::recvfrom};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, flags, from, length);
}

COIR_HOOK ssize_t recvmsg(int socket, msghdr* into, int flags) {
    COIR_BEHIND behind{"recvmsg", static_fallback::recvmsg};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, into, flags);
}

COIR_HOOK int recvmmsg(int socket, mmsghdr* into, unsigned count, int flags, timespec* limit) {
    COIR_BEHIND behind{"recvmmsg", static_fallback::recvmmsg};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, into, count, flags, limit);
}

COIR_HOOK ssize_t send(int socket, const void* from, std::size_t bytes, int flags) {
    COIR_BEHIND behind{"send", static_fallback::send};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, from, bytes, flags);
}

COIR_HOOK ssize_t sendto(int socket, const void* from, std::size_t bytes, int flags, const sockaddr* to,
                         socklen_t length) {
    COIR_BEHIND behind{"sendto", static_fallback::sendto};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, from, bytes, flags, to, length);
}

COIR_HOOK ssize_t sendmsg(int socket, const msghdr* from, int flags) {
    COIR_BEHIND behind{"sendmsg", static_fallback::sendmsg};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, from, flags);
}

COIR_HOOK int sendmmsg(int socket, mmsghdr* from, unsigned count, int flags) {
    COIR_BEHIND behind{"sendmmsg", static_fallback::sendmmsg};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, from, count, flags);
}

COIR_HOOK ssize_t __recv_chk(int socket, void* into, std::size_t bytes, std::size_t room, int flags) {
    COIR_BEHIND behind{"__recv_chk", "recv", static_fallback::recv_chk};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, room, flags);
}

COIR_HOOK ssize_t __recvfrom_chk(int socket, void* into, std::size_t bytes, std::size_t room, int flags, sockaddr* from,
                                 socklen_t* length) {
    COIR_BEHIND behind{"__recvfrom_chk", "recvfrom", static_fallback::recvfrom_chk};
    return watched(behind, [&] { return model_of_socket(socket, flags); })(socket, into, bytes, room, flags, from,
                                                                           length);
}

// ---- any descriptor ------------------------------------------------------------------------------------------------

COIR_HOOK ssize_t read(int fd, void* into, std::size_t bytes) {
    COIR_BEHIND behind{"read", static_fallback::read};
    return watched(behind, [&] { return of_stream(fd); })(fd, into, bytes);
}

COIR_HOOK ssize_t __read_chk(int fd, void* into, std::size_t bytes, std::size_t room) {
    COIR_BEHIND behind{"__read_chk", "read", static_fallback::read_chk};
    return watched(behind, [&] { return of_stream(fd); })(fd, into, bytes, room);
}

COIR_HOOK ssize_t readv(int fd, const iovec* into, int count) {
    COIR_BEHIND behind{"readv", static_fallback::readv};
    return watched(behind, [&] { return of_stream(fd); })(fd, into, count);
}

COIR_HOOK ssize_t write(int fd, const void* from, std::size_t bytes) {
    COIR_BEHIND behind{"write", static_fallback::write};
    return watched(behind, [&] { return of_output(fd); })(fd, from, bytes);
}

COIR_HOOK ssize_t writev(int fd, const iovec* from, int count) {
    COIR_BEHIND behind{"writev", static_fallback::writev};
    return watched(behind, [&] { return of_output(fd); })(fd, from, count);
}

// ---- names ---------------------------------------------------------------------------------------------------------

COIR_HOOK int getaddrinfo(const char* host, const char* service, const addrinfo* wanted, addrinfo** found) {
    COIR_BEHIND behind{"getaddrinfo", static_fallback::getaddrinfo};
    return watched_by_name(behind, [] { return must(category::dns); })(host, service, wanted, found);
}

// ---- processes -----------------------------------------------------------------------------------------------------

COIR_HOOK int system(const char* command) {
    COIR_BEHIND behind{"system", static_fallback::system};
    return watched_by_name(behind, [&] { return must_if(command != nullptr, category::process); })(command);
}

COIR_HOOK FILE* popen(const char* command, const char* mode) {
    COIR_BEHIND behind{"popen", static_fallback::popen};
    return watched_by_name(behind, [] { return must(category::process); })(command, mode);
}

COIR_HOOK pid_t wait(int* status) {
    COIR_BEHIND behind{"wait", static_fallback::wait};
    return watched(behind, [] { return must(category::process); })(status);
}

COIR_HOOK pid_t waitpid(pid_t child, int* status, int options) {
    COIR_BEHIND behind{"waitpid", static_fallback::waitpid};
    return watched(behind, [&] { return must_if((options & WNOHANG) == 0, category::process); })(child, status,
                                                                                                 options);
}

COIR_HOOK pid_t wait4(pid_t child, int* status, int options, rusage* usage) noexcept {
    COIR_BEHIND behind{"wait4", static_fallback::wait4};
    return watched(behind, [&] { return must_if((options & WNOHANG) == 0, category::process); })(child, status, options,
                                                                                                 usage);
}

COIR_HOOK int waitid(idtype_t what, id_t id, siginfo_t* status, int options) {
    COIR_BEHIND behind{"waitid", static_fallback::waitid};
    return watched(behind, [&] { return must_if((options & WNOHANG) == 0, category::process); })(what, id, status,
                                                                                                 options);
}

// ---- locks and threads ---------------------------------------------------------------------------------------------

COIR_HOOK int flock(int fd, int operation) noexcept {
    COIR_BEHIND behind{"flock", static_fallback::flock};
    return watched(behind, [&] { return must_if((operation & (LOCK_NB | LOCK_UN)) == 0, category::lock); })(fd,
                                                                                                            operation);
}

COIR_HOOK int lockf(int fd, int operation, off_t length) {
    COIR_BEHIND behind{"lockf", static_fallback::lockf};
    return watched(behind, [&] { return must_if(operation == F_LOCK, category::lock); })(fd, operation, length);
}

COIR_HOOK int sem_wait(sem_t* semaphore) {
    COIR_BEHIND behind{"sem_wait", static_fallback::sem_wait};
    return watched(behind, [&] { return of_semaphore(semaphore); })(semaphore);
}

COIR_HOOK int sem_timedwait(sem_t* semaphore, const timespec* until) {
    COIR_BEHIND behind{"sem_timedwait", static_fallback::sem_timedwait};
    return watched(behind, [&] { return of_semaphore(semaphore); })(semaphore, until);
}

COIR_HOOK int pthread_join(pthread_t thread, void** result) {
    COIR_BEHIND behind{"pthread_join", static_fallback::pthread_join};
    return watched_by_name(behind, [] { return must(category::lock); })(thread, result);
}

// ---- disks ---------------------------------------------------------------------------------------------------------

COIR_HOOK int fsync(int fd) {
    COIR_BEHIND behind{"fsync", static_fallback::fsync};
    return watched(behind, [] { return must(category::disk); })(fd);
}

COIR_HOOK int fdatasync(int fd) {
    COIR_BEHIND behind{"fdatasync", static_fallback::fdatasync};
    return watched(behind, [] { return must(category::disk); })(fd);
}

// ---- signals -------------------------------------------------------------------------------------------------------

COIR_HOOK int sigaction(int signal, const struct sigaction* action, struct sigaction* before) noexcept {
    COIR_BEHIND behind{"sigaction", static_fallback::sigaction};
    return sigaction_beside_traps(behind.get(), signal, action, before);
}

COIR_HOOK int pause() {
    COIR_BEHIND behind{"pause", static_fallback::pause};
    return watched(behind, [] { return must(category::signal); })();
}
