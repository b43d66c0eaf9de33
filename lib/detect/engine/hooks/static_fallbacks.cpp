// With _FORTIFY_SOURCE the headers of the C library would define some of these functions inline.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/static_fallbacks.hpp"

#include "detect/engine/trap/kernel_sigaction.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <type_traits>
#include <unistd.h>

extern "C" {
[[noreturn]] void __chk_fail();  // called by the checking functions on a buffer overflow

// Other names of hooked functions, which glibc exports.
FILE* _IO_popen(const char* command, const char* mode);
FILE* _IO_fopen(const char* path, const char* mode);
int _IO_getc(FILE* file);
int _IO_putc(int character, FILE* file);
std::size_t _IO_fread(void* into, std::size_t bytes, std::size_t count, FILE* file);
std::size_t _IO_fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file);
char* _IO_fgets(char* into, int bytes, FILE* file);
int _IO_fputs(const char* text, FILE* file);
int _IO_puts(const char* text);
int _IO_fflush(FILE* file);
void _IO_flockfile(FILE* file) noexcept;
int __vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments);
int __fcntl(int fd, int command, ...);

// Other names of hooked functions, which exist only inside a static program. References to `mtx_timedlock`, `cnd_timedwait`
// and `call_once` bring the object files with them into it.
[[gnu::weak]] int __pthread_mutex_lock(pthread_mutex_t* mutex) noexcept;
[[gnu::weak]] int __pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept;
[[gnu::weak]] int __pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept;
[[gnu::weak]] int __pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex);
[[gnu::weak]] int __pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until);
[[gnu::weak]] int __pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                           const timespec* until);
[[gnu::weak]] int __pthread_once(pthread_once_t* control, void (*function)());
[[gnu::weak]] int __posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                                const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment);
}

namespace coir::detail::static_fallback {

namespace {

[[gnu::used]] int (*const neighbour_of_timedlock)(mtx_t*, const timespec*) = ::mtx_timedlock;
[[gnu::used]] int (*const neighbour_of_cond_wait)(cnd_t*, mtx_t*, const timespec*) = ::cnd_timedwait;
[[gnu::used]] void (*const neighbour_of_once)(once_flag*, void (*)()) = ::call_once;

constexpr timespec never{std::numeric_limits<time_t>::max(), 0};

/// The moment `until` of `clock`, in CLOCK_REALTIME.
timespec in_real_time(clockid_t clock, timespec until) noexcept {
    if (clock == CLOCK_REALTIME) return until;
    constexpr long second = 1'000'000'000;
    timespec now{};
    timespec real{};
    ::clock_gettime(clock, &now);
    ::clock_gettime(CLOCK_REALTIME, &real);
    until.tv_sec += real.tv_sec - now.tv_sec;
    until.tv_nsec += real.tv_nsec - now.tv_nsec;
    if (until.tv_nsec < 0) until.tv_nsec += second, --until.tv_sec;
    if (until.tv_nsec >= second) until.tv_nsec -= second, ++until.tv_sec;
    return until;
}

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
    const long all[6] = {word(arguments)...};
    return static_cast<Result>(syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]));
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
    const bool runs = static_fallback::posix_spawn(&shell, "/bin/sh", nullptr, &attributes,
                                                   const_cast<char**>(arguments), environ) == 0;
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

int sem_wait(sem_t* semaphore) { return ::sem_clockwait(semaphore, CLOCK_MONOTONIC, &never); }

int sem_timedwait(sem_t* semaphore, const timespec* until) { return ::sem_clockwait(semaphore, CLOCK_REALTIME, until); }

int pthread_join(pthread_t thread, void** result) {
    return static_fallback::pthread_timedjoin_np(thread, result, nullptr);
}

int fsync(int fd) { return kernel<int>(SYS_fsync, fd); }

int fdatasync(int fd) { return kernel<int>(SYS_fdatasync, fd); }

int pause() { return kernel<int>(SYS_ppoll, nullptr, 0L, nullptr, nullptr, 0L); }

int thrd_sleep(const timespec* length, timespec* left) {
    const int error = static_fallback::clock_nanosleep(CLOCK_REALTIME, 0, length, left);
    return error == 0 ? 0 : (error == EINTR ? -1 : -2);  // as C11 defines it
}

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

int fcntl(int fd, int command, long argument) { return ::__fcntl(fd, command, argument); }

int syncfs(int fd) { return kernel<int>(SYS_syncfs, fd); }

void sync() { kernel(SYS_sync); }

int sync_file_range(int fd, off_t at, off_t bytes, unsigned flags) {
    return kernel<int>(SYS_sync_file_range, fd, at, bytes, flags);
}

int msync(void* memory, std::size_t bytes, int flags) { return kernel<int>(SYS_msync, memory, bytes, flags); }

// Not coir_system_call: traps let that through.
long syscall(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    long result = number;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
#else
    register long x8 asm("x8") = number;
    register long result asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc #0" : "+r"(result) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
#endif
    if (result < 0 && result > -4096) {
        errno = static_cast<int>(-result);
        return -1;
    }
    return result;
}

hostent* gethostbyname(const char* host) { return ::gethostbyname2(host, AF_INET); }

int gethostbyname_r(const char* host, hostent* into, char* buffer, std::size_t bytes, hostent** found, int* error) {
    return ::gethostbyname2_r(host, AF_INET, into, buffer, bytes, found, error);
}

hostent* gethostbyaddr(const void* address, socklen_t length, int family) {
    static hostent entry;
    static std::array<char, 8192> buffer;
    hostent* found = nullptr;
    return ::gethostbyaddr_r(address, length, family, &entry, buffer.data(), buffer.size(), &found, &h_errno) == 0
               ? found
               : nullptr;
}

namespace {

constexpr std::size_t entry_bytes = 8192;

/// The address in words: getnameinfo(3) without a name server.
int write_number(const sockaddr& address, char* into, socklen_t bytes) {
    if (address.sa_family == AF_INET) {
        const auto& of = reinterpret_cast<const sockaddr_in&>(address);
        return ::inet_ntop(AF_INET, &of.sin_addr, into, bytes) != nullptr ? 0 : EAI_OVERFLOW;
    }
    const auto& of = reinterpret_cast<const sockaddr_in6&>(address);
    std::array<char, INET6_ADDRSTRLEN + 16> text{};
    ::inet_ntop(AF_INET6, &of.sin6_addr, text.data(), INET6_ADDRSTRLEN);
    if (of.sin6_scope_id != 0)
        std::snprintf(text.data() + std::strlen(text.data()), 16, "%%%u", static_cast<unsigned>(of.sin6_scope_id));
    return std::snprintf(into, bytes, "%s", text.data()) < static_cast<int>(bytes) ? 0 : EAI_OVERFLOW;
}

int write_host(const sockaddr& address, char* into, socklen_t bytes, int flags) {
    const bool is_v4 = address.sa_family == AF_INET;
    const void* const number = is_v4 ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
                                     : &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    hostent entry{};
    std::array<char, entry_bytes> buffer;
    hostent* found = nullptr;
    int error = 0;
    if ((flags & NI_NUMERICHOST) == 0)
        ::gethostbyaddr_r(number, is_v4 ? sizeof(in_addr) : sizeof(in6_addr), address.sa_family, &entry, buffer.data(),
                          buffer.size(), &found, &error);
    if (found != nullptr)
        return std::snprintf(into, bytes, "%s", found->h_name) < static_cast<int>(bytes) ? 0 : EAI_OVERFLOW;
    if (error == TRY_AGAIN) return EAI_AGAIN;
    return (flags & NI_NAMEREQD) != 0 ? EAI_NONAME : write_number(address, into, bytes);
}

int write_service(const sockaddr& address, char* into, socklen_t bytes, int flags) {
    const in_port_t port = reinterpret_cast<const sockaddr_in&>(address).sin_port;  // at the same place in sockaddr_in6
    servent entry{};
    std::array<char, entry_bytes> buffer;
    servent* found = nullptr;
    if ((flags & NI_NUMERICSERV) == 0)
        ::getservbyport_r(port, (flags & NI_DGRAM) != 0 ? "udp" : "tcp", &entry, buffer.data(), buffer.size(), &found);
    const int length = found != nullptr ? std::snprintf(into, bytes, "%s", found->s_name)
                                        : std::snprintf(into, bytes, "%d", static_cast<int>(ntohs(port)));
    return length < static_cast<int>(bytes) ? 0 : EAI_OVERFLOW;
}

}  // namespace

/// For addresses of IP, and without NI_NOFQDN and the flags of internationalised names.
int getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_bytes, char* service,
                socklen_t service_bytes, int flags) {
    const bool asks_host = host != nullptr && host_bytes > 0;
    const bool asks_service = service != nullptr && service_bytes > 0;
    if (address == nullptr || length < sizeof address->sa_family) return EAI_FAMILY;
    if (!asks_host && !asks_service) return EAI_NONAME;
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6) return EAI_FAMILY;
    if (length < (address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6))) return EAI_FAMILY;
    const int error = asks_host ? write_host(*address, host, host_bytes, flags) : 0;
    return error != 0 || !asks_service ? error : write_service(*address, service, service_bytes, flags);
}

#if __GLIBC_PREREQ(2, 34)
int res_query(const char* name, int wanted_class, int type, unsigned char* answer, int bytes) {
    return ::res_querydomain(name, nullptr, wanted_class, type, answer, bytes);
}

int res_search(const char* name, int wanted_class, int type, unsigned char* answer, int bytes) {
    if ((_res.options & RES_INIT) == 0 && ::res_init() != 0) return -1;
    return ::res_nsearch(&_res, name, wanted_class, type, answer, bytes);
}

int res_nquery(res_state state, const char* name, int wanted_class, int type, unsigned char* answer, int bytes) {
    return ::res_nquerydomain(state, name, nullptr, wanted_class, type, answer, bytes);
}
#endif

int pclose(FILE* pipe) { return std::fclose(pipe); }  // also in glibc

int posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment) {
    return ::__posix_spawn(child, path, actions, attributes, arguments, environment);
}

int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment) {
    const char* const path = std::getenv("PATH");
    if (std::strchr(file, '/') != nullptr || path == nullptr)
        return static_fallback::posix_spawn(child, file, actions, attributes, arguments, environment);
    int error = ENOENT;
    for (const char* folder = path;; ++folder) {
        const char* const end = ::strchrnul(folder, ':');
        std::array<char, PATH_MAX> full;
        const int length = std::snprintf(full.data(), full.size(), "%.*s%s%s", static_cast<int>(end - folder), folder,
                                         end == folder ? "" : "/", file);
        if (length >= 0 && static_cast<std::size_t>(length) < full.size()) {
            const int result =
                static_fallback::posix_spawn(child, full.data(), actions, attributes, arguments, environment);
            if (result != ENOENT && result != EACCES && result != ENOTDIR) return result;
            if (result == EACCES) error = EACCES;
        }
        if (*end == '\0') return error;
        folder = end;
    }
}

pid_t wait3(int* status, int options, rusage* usage) { return static_fallback::wait4(-1, status, options, usage); }

ssize_t mq_receive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority) {
    return mq_timedreceive(queue, into, bytes, priority, nullptr);
}

ssize_t mq_timedreceive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority, const timespec* until) {
    return kernel<ssize_t>(SYS_mq_timedreceive, queue, into, bytes, priority, until);
}

int mq_send(mqd_t queue, const char* from, std::size_t bytes, unsigned priority) {
    return mq_timedsend(queue, from, bytes, priority, nullptr);
}

int mq_timedsend(mqd_t queue, const char* from, std::size_t bytes, unsigned priority, const timespec* until) {
    return kernel<int>(SYS_mq_timedsend, queue, from, bytes, priority, until);
}

ssize_t msgrcv(int queue, void* into, std::size_t bytes, long type, int flags) {
    return kernel<ssize_t>(SYS_msgrcv, queue, into, bytes, type, flags);
}

int msgsnd(int queue, const void* from, std::size_t bytes, int flags) {
    return kernel<int>(SYS_msgsnd, queue, from, bytes, flags);
}

int semop(int set, sembuf* operations, std::size_t count) { return kernel<int>(SYS_semop, set, operations, count); }

int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* limit) {
    return kernel<int>(SYS_semtimedop, set, operations, count, limit);
}

int sigsuspend(const sigset_t* mask) { return kernel<int>(SYS_rt_sigsuspend, mask, signal_set_bytes); }

int sigwait(const sigset_t* signals, int* signal) {
    const int saved = errno;
    int got = 0;
    do {
        got = static_fallback::sigtimedwait(signals, nullptr, nullptr);
    } while (got < 0 && errno == EINTR);
    const int error = got < 0 ? errno : 0;
    if (got >= 0) *signal = got;
    errno = saved;
    return error;
}

int sigwaitinfo(const sigset_t* signals, siginfo_t* info) {
    return static_fallback::sigtimedwait(signals, info, nullptr);
}

int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* limit) {
    return kernel<int>(SYS_rt_sigtimedwait, signals, info, limit, signal_set_bytes);
}

int pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until) {
    return ::pthread_clockjoin_np(thread, result, CLOCK_REALTIME, until);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) { return ::__pthread_mutex_lock(mutex); }

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) {
    return ::__pthread_mutex_timedlock(mutex, until);
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
    return ::__pthread_mutex_clocklock(mutex, clock, until);
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) { return ::pthread_rwlock_timedrdlock(lock, &never); }

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) { return ::pthread_rwlock_timedwrlock(lock, &never); }

int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) {
    const timespec real = in_real_time(clock, *until);
    return ::pthread_rwlock_timedrdlock(lock, &real);
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) {
    const timespec real = in_real_time(clock, *until);
    return ::pthread_rwlock_timedwrlock(lock, &real);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
    return ::__pthread_cond_wait(condition, mutex);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    return ::__pthread_cond_timedwait(condition, mutex, until);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
    return ::__pthread_cond_clockwait(condition, mutex, clock, until);
}

int pthread_once(pthread_once_t* control, void (*function)()) { return ::__pthread_once(control, function); }

// glibc's C11 objects are those of POSIX under another name.

namespace {

int as_c11(int error) noexcept {
    switch (error) {
    case 0: return thrd_success;
    case ENOMEM: return thrd_nomem;
    default: return thrd_error;
    }
}

pthread_mutex_t* as_posix(mtx_t* mutex) noexcept { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* as_posix(cnd_t* condition) noexcept { return reinterpret_cast<pthread_cond_t*>(condition); }

}  // namespace

/// The algorithm of glibc, on its object: pthread_barrier_wait has no other name that a static program would contain.
int pthread_barrier_wait(pthread_barrier_t* barrier) {
    struct fields {
        unsigned in;             // threads that have entered
        unsigned current_round;  // how many of them may leave
        unsigned count;
        int shared;    // 0: private, 128: shared between processes, as in the flag of futex(2)
        unsigned out;  // threads that have left
    };
    static_assert(sizeof(fields) <= sizeof(pthread_barrier_t));
    auto& bar = reinterpret_cast<fields&>(*barrier);
    const long flag = bar.shared == 0 ? FUTEX_PRIVATE_FLAG : 0;
    const unsigned count = bar.count;
    const unsigned last_in = UINT_MAX / 2 - UINT_MAX / 2 % count;  // then all fields begin at 0 again
    for (;;) {
        const unsigned mine = __atomic_add_fetch(&bar.in, 1, __ATOMIC_ACQ_REL);
        if (mine > last_in) {  // until the threads before have left
            for (unsigned now = mine; now > last_in; now = __atomic_load_n(&bar.in, __ATOMIC_RELAXED))
                kernel<int>(SYS_futex, &bar.in, FUTEX_WAIT | flag, now, nullptr);
            continue;
        }
        unsigned round = __atomic_load_n(&bar.current_round, __ATOMIC_ACQUIRE);
        while (round + count <= mine) {
            const unsigned complete = mine - mine % count;
            if (!__atomic_compare_exchange_n(&bar.current_round, &round, complete, true, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE))
                continue;
            kernel<int>(SYS_futex, &bar.current_round, FUTEX_WAKE | flag, INT_MAX);
            round = complete;
        }
        while (mine > round) {
            kernel<int>(SYS_futex, &bar.current_round, FUTEX_WAIT | flag, round, nullptr);
            round = __atomic_load_n(&bar.current_round, __ATOMIC_ACQUIRE);
        }
        const bool is_last = __atomic_add_fetch(&bar.out, 1, __ATOMIC_ACQ_REL) == last_in;
        if (is_last) {
            __atomic_store_n(&bar.current_round, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&bar.out, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&bar.in, 0, __ATOMIC_RELEASE);
            kernel<int>(SYS_futex, &bar.in, FUTEX_WAKE | flag, INT_MAX);
        }
        return mine % count == 0 ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
    }
}

int mtx_lock(mtx_t* mutex) { return as_c11(static_fallback::pthread_mutex_lock(as_posix(mutex))); }

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
    return as_c11(static_fallback::pthread_cond_wait(as_posix(condition), as_posix(mutex)));
}

int thrd_join(thrd_t thread, int* result) {
    void* returned = nullptr;
    const int error = pthread_join(thread, &returned);
    if (result != nullptr) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
    return as_c11(error);
}

int getc(FILE* file) { return ::_IO_getc(file); }

int getchar() { return ::_IO_getc(stdin); }

std::size_t fread(void* into, std::size_t bytes, std::size_t count, FILE* file) {
    return ::_IO_fread(into, bytes, count, file);
}

std::size_t fread_chk(void* into, std::size_t buffer_bytes, std::size_t bytes, std::size_t count, FILE* file) {
    check_buffer(bytes * count, buffer_bytes);
    return ::_IO_fread(into, bytes, count, file);
}

char* fgets(char* into, int bytes, FILE* file) { return ::_IO_fgets(into, bytes, file); }

char* fgets_chk(char* into, std::size_t buffer_bytes, int bytes, FILE* file) {
    check_buffer(static_cast<std::size_t>(bytes), buffer_bytes);
    return ::_IO_fgets(into, bytes, file);
}

ssize_t getline(char** line, std::size_t* bytes, FILE* file) {
    return static_fallback::getdelim(line, bytes, '\n', file);
}

// getdelim brings the C library's strong __getdelim into a static program, where it overrides the hook.
ssize_t getdelim(char** line, std::size_t* bytes, int delimiter, FILE* file) {
    return ::getdelim(line, bytes, delimiter, file);
}

int vfscanf(FILE* file, const char* format, va_list arguments) { return ::vfscanf(file, format, arguments); }

int putc(int character, FILE* file) { return ::_IO_putc(character, file); }

int putchar(int character) { return ::_IO_putc(character, stdout); }

std::size_t fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file) {
    return ::_IO_fwrite(from, bytes, count, file);
}

int fputs(const char* text, FILE* file) { return ::_IO_fputs(text, file); }

int puts(const char* text) { return ::_IO_puts(text); }

int vfprintf(FILE* file, const char* format, va_list arguments) { return ::vfprintf(file, format, arguments); }

int vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments) {
    return ::__vfprintf_chk(file, flag, format, arguments);
}

int fflush(FILE* file) { return ::_IO_fflush(file); }

void flockfile(FILE* file) { ::_IO_flockfile(file); }

FILE* fopen(const char* path, const char* mode) { return ::_IO_fopen(path, mode); }

int sigaction(int signal, const struct sigaction* action, struct sigaction* before) {
    const kernel_sigaction requested = action != nullptr ? as_kernel(*action) : kernel_sigaction{};
    kernel_sigaction replaced;
    const int done =
        kernel<int>(SYS_rt_sigaction, signal, action != nullptr ? &requested : nullptr, &replaced, signal_set_bytes);
    if (done == 0 && before != nullptr) *before = as_library(replaced);
    return done;
}

}  // namespace coir::detail::static_fallback
