// With _FORTIFY_SOURCE the headers of the C library would redirect the functions that are defined here to checking
// variants.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/hooks.hpp"

#include "base/own_module.hpp"
#include "detect/calls/call_model.hpp"
#include "detect/calls/classes.hpp"
#include "detect/calls/system_calls.hpp"
#include "detect/engine/hooks/descriptor_hooks.hpp"
#include "detect/engine/hooks/lock_hooks.hpp"
#include "detect/engine/hooks/resolver_fallbacks.hpp"
#include "detect/engine/hooks/static_fallbacks.hpp"
#include "detect/engine/hooks/stdio_hooks.hpp"
#include "detect/engine/hooks/thread_fallbacks.hpp"
#include "detect/engine/hooks/watched_function.hpp"
#include "detect/engine/trap/trap.hpp"

#include <arpa/inet.h>
#include <cstddef>
#include <cstdio>
#include <dlfcn.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

// In a static program there is no next function. There a hook calls a static fallback (static_fallbacks.hpp). The one of
// res_search needs res_nsearch, which therefore has no hook. getaddrinfo shares an object file of the C library with
// freeaddrinfo. A reference to freeaddrinfo brings the C library's strong definition of getaddrinfo into a static program,
// where it overrides the hook.

namespace coir::detail {

namespace {

[[gnu::used]] void (*const neighbour_of_getaddrinfo)(addrinfo*) = ::freeaddrinfo;

using category = blocking_class;

// ---- models of calls -----------------------------------------------------------------------------------------------

/// The C library finds the name of a numeric address, and the address in a numeric name, by itself.
bool is_numeric(const char* host) noexcept {
    in6_addr address{};
    return host == nullptr || ::inet_pton(AF_INET, host, &address) == 1 || ::inet_pton(AF_INET6, host, &address) == 1;
}

call_model of_look_up(const char* host) noexcept { return may_sleep_if(!is_numeric(host), category::dns); }

call_model of_fcntl(int fd, int command, long argument) noexcept {
    // Not the model of the system call for other commands, which are frequent.
    const bool locks = command == F_SETLKW || command == F_OFD_SETLKW;
    return locks ? model_of_system_call(SYS_fcntl, fd, command, argument) : never_sleeps;
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
    link_descriptor_hooks();
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

COIR_HOOK int getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_bytes, char* service,
                          socklen_t service_bytes, int flags) {
    COIR_NEXT next{"getnameinfo", static_fallback::getnameinfo};
    return watched_by_name(next, [&] {
        const bool asks = host != nullptr && host_bytes > 0 && (flags & NI_NUMERICHOST) == 0;
        return may_sleep_if(asks && address != nullptr && address->sa_family != AF_UNIX, category::dns);
    })(address, length, host, host_bytes, service, service_bytes, flags);
}

#if __GLIBC_PREREQ(2, 34)  // before, these are in a library of their own
COIR_HOOK int res_query(const char* name, int wanted_class, int type, unsigned char* answer, int bytes) noexcept {
    COIR_NEXT next{"res_query", static_fallback::res_query};
    return watched_by_name(next, [] { return may_sleep(category::dns); })(name, wanted_class, type, answer, bytes);
}

COIR_HOOK int res_search(const char* name, int wanted_class, int type, unsigned char* answer, int bytes) noexcept {
    COIR_NEXT next{"res_search", "res_query", static_fallback::res_search};
    return watched_by_name(next, [] { return may_sleep(category::dns); })(name, wanted_class, type, answer, bytes);
}

COIR_HOOK int res_nquery(res_state state, const char* name, int wanted_class, int type, unsigned char* answer,
                         int bytes) noexcept {
    COIR_NEXT next{"res_nquery", "res_query", static_fallback::res_nquery};
    return watched_by_name(next, [] { return may_sleep(category::dns); })(state, name, wanted_class, type, answer,
                                                                          bytes);
}
#endif

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
    return watched(next, [&] {
        return model_of_system_call(SYS_mq_timedreceive, queue, into, bytes, priority, until);
    })(queue, into, bytes, priority, until);
}

COIR_HOOK int mq_send(mqd_t queue, const char* from, std::size_t bytes, unsigned priority) {
    COIR_NEXT next{"mq_send", static_fallback::mq_send};
    return watched(next, [&] { return may_sleep_if(!is_nonblocking(queue), category::lock); })(queue, from, bytes,
                                                                                               priority);
}

COIR_HOOK int mq_timedsend(mqd_t queue, const char* from, std::size_t bytes, unsigned priority, const timespec* until) {
    COIR_NEXT next{"mq_timedsend", static_fallback::mq_timedsend};
    return watched(next, [&] { return model_of_system_call(SYS_mq_timedsend, queue, from, bytes, priority, until); })(
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
    return watched(next, [&] { return model_of_system_call(SYS_semop, set, operations, count); })(set, operations,
                                                                                                  count);
}

COIR_HOOK int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* limit) noexcept {
    COIR_NEXT next{"semtimedop", static_fallback::semtimedop};
    return watched(next, [&] { return model_of_system_call(SYS_semtimedop, set, operations, count, limit); })(
        set, operations, count, limit);
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
    return watched(next, [&] {
        call_model model = model_of_system_call(number, a, b, c, d, e, f);
        if (const known_call& known = call_numbered(number); model.call == nullptr && !known.name.empty())
            model.call = known.name.data();  // a literal
        return model;
    })(number, a, b, c, d, e, f);
}
