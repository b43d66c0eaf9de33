// With _FORTIFY_SOURCE the headers of the C library would define some of these functions inline.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/static_fallbacks.hpp"

#include "detect/engine/trap/kernel_sigaction.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
[[noreturn]] void __chk_fail();  // called by the checking functions on a buffer overflow

// Other names of hooked functions, which glibc exports.
FILE* _IO_popen(const char* command, const char* mode);
int __fcntl(int fd, int command, ...);

// Another name of posix_spawn, which exists only inside a static program.
[[gnu::weak]] int __posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                                const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment);
}

namespace coir::detail::static_fallback {

namespace {

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

}  // namespace

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

void check_buffer(std::size_t requested, std::size_t available) {
    if (requested > available) __chk_fail();
}

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

int thrd_sleep(const timespec* length, timespec* left) {
    const int error = static_fallback::clock_nanosleep(CLOCK_REALTIME, 0, length, left);
    return error == 0 ? 0 : (error == EINTR ? -1 : -2);  // as C11 defines it
}

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

int fcntl(int fd, int command, long argument) { return ::__fcntl(fd, command, argument); }

int pause() { return kernel<int>(SYS_ppoll, nullptr, 0L, nullptr, nullptr, 0L); }

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

int sigaction(int signal, const struct sigaction* action, struct sigaction* before) {
    const kernel_sigaction requested = action != nullptr ? as_kernel(*action) : kernel_sigaction{};
    kernel_sigaction replaced;
    const int done =
        kernel<int>(SYS_rt_sigaction, signal, action != nullptr ? &requested : nullptr, &replaced, signal_set_bytes);
    if (done == 0 && before != nullptr) *before = as_library(replaced);
    return done;
}

}  // namespace coir::detail::static_fallback
