// These are the functions that the C library's headers would replace by checking ones.
#undef _FORTIFY_SOURCE

#include "detect/hooks.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <type_traits>

#include "detect/monitor.hpp"
#include "detect/trap.hpp"
#include "detect/twins.hpp"

// Functions of the C library by their own names: a call from anywhere in the program, its libraries included, comes
// here first and goes on to the function behind. Weak, so that a program which has one of its own still links, and
// keeps it.
//
// In a static program there is nothing behind: there a twin takes its place (twins.hpp). The look-ups by getnameinfo
// and gethostbyname have neither and thus no hook, or a static program would lose them; getaddrinfo has an object file
// in common with freeaddrinfo, and a reference to that brings the C library's own, strong definition into a static
// program: it is the one that counts there.

// clang links its sanitizers' interceptors into the program itself, weak as well and first: there only a strong
// definition wins, and what comes next after the program is not the interceptor.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COIR_INTERCEPTED 1
#endif
#endif
#if defined(COIR_INTERCEPTED)
#define COIR_HOOK extern "C" [[gnu::noinline]]
#else
#define COIR_HOOK extern "C" [[gnu::weak, gnu::noinline]]
#endif

#define COIR_BEHIND [[gnu::section("coir_functions_behind"), gnu::used]] static constinit function_behind

namespace coir::detail {

namespace {

[[gnu::used]] void (*const neighbour_of_getaddrinfo)(addrinfo*) = ::freeaddrinfo;

/// A program that no dynamic linker has loaded.
bool is_static_program() noexcept {
    static const bool answer = [] {
        bool has_interpreter = false;
        ::dl_iterate_phdr(
            [](dl_phdr_info* program, std::size_t, void* found) {
                for (unsigned i = 0; i < program->dlpi_phnum; ++i) {
                    if (program->dlpi_phdr[i].p_type == PT_INTERP) *static_cast<bool*>(found) = true;
                }
                return 1;  // the first is the program itself
            },
            &has_interpreter);
        return !has_interpreter;
    }();
    return answer;
}

/// What is the same for the functions behind all hooks. They lie in one section of the program, which makes them an
/// array (the linker sets labels around it): so all can be looked up when the program begins, as dlsym(3) may not be
/// called in a signal handler, and `write` may.
class any_function_behind {
public:
    /// Reports speak of a call of this.
    [[nodiscard]] const char* called() const noexcept { return called_; }

    virtual void find() noexcept = 0;

protected:
    constexpr any_function_behind(const char* name, const char* called) noexcept : name_{name}, called_{called} {}
    ~any_function_behind() = default;

    /// The next one after the hook; nullptr in a static program.
    [[nodiscard]] void* look_up() const noexcept {
        if (is_static_program()) return nullptr;
#if defined(COIR_INTERCEPTED)
        std::array<char, 64> interceptor;
        std::snprintf(interceptor.data(), interceptor.size(), "__interceptor_%s", name_);
        if (void* found = ::dlsym(RTLD_DEFAULT, interceptor.data())) return found;
#endif
        return ::dlsym(RTLD_NEXT, name_);
    }

private:
    const char* name_;
    const char* called_;
};

template <class Signature> class function_behind;

/// The function that a hook stands before. Aligned to its size, as compilers align static objects as they see fit.
template <class Result, class... Arguments>
class alignas(64) function_behind<Result(Arguments...)> final : public any_function_behind {
public:
    using pointer = Result (*)(Arguments...);

    /// `twin` does the same in a static program.
    constexpr function_behind(const char* name, pointer twin) noexcept : function_behind{name, name, twin} {}
    constexpr function_behind(const char* name, const char* called, pointer twin) noexcept
        : any_function_behind{name, called}, twin_{twin} {}

    [[nodiscard]] pointer get() noexcept {
        // Only what runs before the program's own constructors finds it missing.
        if (found_.load(std::memory_order_relaxed) == nullptr) [[unlikely]]
            find();
        return found_.load(std::memory_order_relaxed);
    }

    Result operator()(Arguments... arguments) { return get()(arguments...); }

    void find() noexcept override {
        void* const found = look_up();
        found_.store(found != nullptr ? reinterpret_cast<pointer>(found) : twin_, std::memory_order_relaxed);
    }

private:
    pointer twin_;
    std::atomic<pointer> found_{nullptr};
};

template <class Result, class... Arguments>
function_behind(const char*, Result (*)(Arguments...)) -> function_behind<Result(Arguments...)>;
template <class Result, class... Arguments>
function_behind(const char*, const char*, Result (*)(Arguments...)) -> function_behind<Result(Arguments...)>;

// ---- which calls can sleep -----------------------------------------------------------------------------------------

// Each makes a question that is asked in a fiber alone: which class a call is of, or none when its arguments rule out
// that it sleeps.

using category = blocking_class;
using answer = std::optional<blocking_class>;

auto always(category what) noexcept {
    return [=]() noexcept -> answer { return what; };
}

auto when(bool can, category what) noexcept {
    return [=]() noexcept -> answer { return can ? answer{what} : std::nullopt; };
}

/// By a limit in time: at a null pointer for ever, at zero never.
auto unless_zero(const timespec* limit, category what) noexcept {
    return [=]() noexcept -> answer {
        const bool zero = limit != nullptr && limit->tv_sec == 0 && limit->tv_nsec == 0;
        return zero ? std::nullopt : answer{what};
    };
}

auto unless_zero(const timeval* limit, category what) noexcept {
    return [=]() noexcept -> answer {
        const bool zero = limit != nullptr && limit->tv_sec == 0 && limit->tv_usec == 0;
        return zero ? std::nullopt : answer{what};
    };
}

/// poll(2) on nothing is a sleep.
category class_of_poll(nfds_t count) noexcept { return count == 0 ? category::sleep : category::poll; }

bool is_blocking(int fd) noexcept {
    const int saved = errno;
    const int flags = ::fcntl(fd, F_GETFL);
    errno = saved;
    return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

auto when_blocking(int socket, int flags = 0) noexcept {
    return [=]() noexcept -> answer {
        return (flags & MSG_DONTWAIT) == 0 && is_blocking(socket) ? answer{category::network} : std::nullopt;
    };
}

/// For read and write. A regular file is not asked about: whether it sleeps is for the page cache to say, and to ask
/// the kernel each time costs as much as most reads do.
auto when_blocking_stream(int fd) noexcept {
    return [=]() noexcept -> answer {
        if (!is_blocking(fd)) return std::nullopt;
        const int saved = errno;
        struct stat about {};
        const bool known = ::fstat(fd, &about) == 0;
        errno = saved;
        if (!known || S_ISREG(about.st_mode) || S_ISBLK(about.st_mode) || S_ISDIR(about.st_mode)) return std::nullopt;
        if (S_ISSOCK(about.st_mode)) return category::network;
        constexpr unsigned memory_devices = 1;  // /dev/null, /dev/zero, ...
        if (S_ISCHR(about.st_mode) && major(about.st_rdev) == memory_devices) return std::nullopt;
        return category::pipe;  // and terminals, eventfd and the like
    };
}

/// What a program prints is of no interest, unless its reader keeps it waiting.
std::chrono::nanoseconds least_for(int fd) noexcept {
    const bool prints = fd == STDOUT_FILENO || fd == STDERR_FILENO;
    return prints ? std::chrono::milliseconds{1} : std::chrono::milliseconds{0};
}

auto when_empty(sem_t* semaphore) noexcept {
    return [=]() noexcept -> answer {
        int permits = 0;
        return ::sem_getvalue(semaphore, &permits) == 0 && permits > 0 ? std::nullopt : answer{category::lock};
    };
}

// ---- passing a call on ---------------------------------------------------------------------------------------------

/// Calls what is behind; in a fiber that is looked at by an engine up to `last`, watches the call. A sleep shorter than
/// `least` is not reported. Inlined into the hook always: the return address is the hook's, which lies in the code that
/// called the function.
template <class Result, class... Parameters, class Question>
[[gnu::always_inline]] inline Result pass_watched(function_behind<Result(Parameters...)>& behind, blocking_engine last,
                                                  std::chrono::nanoseconds least, Question can_sleep,
                                                  std::type_identity_t<Parameters>... arguments) {
    monitor* const looking = monitor::looking(blocking_engine::hooks, last);
    if (looking == nullptr) return behind(arguments...);
    const answer what = can_sleep();
    if (!what || !looking->wants(*what)) return behind(arguments...);
    const watched_call call{*looking, behind.called(), *what, __builtin_return_address(0), least};
    return behind(arguments...);
}

/// A function that does no more than a system call: where there are traps, it is theirs.
template <class Result, class... Parameters, class Question>
[[gnu::always_inline]] inline Result pass(function_behind<Result(Parameters...)>& behind,
                                          std::chrono::nanoseconds least, Question can_sleep,
                                          std::type_identity_t<Parameters>... arguments) {
    return pass_watched(behind, blocking_engine::hooks, least, can_sleep, arguments...);
}

template <class Result, class... Parameters, class Question>
[[gnu::always_inline]] inline Result pass(function_behind<Result(Parameters...)>& behind, Question can_sleep,
                                          std::type_identity_t<Parameters>... arguments) {
    return pass(behind, std::chrono::nanoseconds{0}, can_sleep, arguments...);
}

/// A function whose name says more than the system calls that it makes.
template <class Result, class... Parameters, class Question>
[[gnu::always_inline]] inline Result pass_by_name(function_behind<Result(Parameters...)>& behind, Question can_sleep,
                                                  std::type_identity_t<Parameters>... arguments) {
    return pass_watched(behind, blocking_engine::trap, std::chrono::nanoseconds{0}, can_sleep, arguments...);
}

}  // namespace

}  // namespace coir::detail

extern "C" {
extern const std::byte __start_coir_functions_behind[];
extern const std::byte __stop_coir_functions_behind[];
}

namespace coir::detail {

namespace {

[[gnu::constructor]] void find_all_functions_behind() {
    using any_signature = function_behind<void()>;  // all have the same size and alignment
    auto* const first = const_cast<std::byte*>(__start_coir_functions_behind);
    for (auto* at = first; at != __stop_coir_functions_behind; at += sizeof(any_signature))
        reinterpret_cast<any_function_behind*>(at)->find();
}

}  // namespace

std::string_view functions_without_hooks() noexcept {
    return is_static_program() ? "getaddrinfo has no hook, as the program is linked statically" : "";
}

}  // namespace coir::detail

using namespace coir::detail;

// ---- sleep ---------------------------------------------------------------------------------------------------------

COIR_HOOK int nanosleep(const timespec* length, timespec* left) {
    COIR_BEHIND behind{"nanosleep", twin::nanosleep};
    return pass(behind, unless_zero(length, category::sleep), length, left);
}

COIR_HOOK int clock_nanosleep(clockid_t clock, int flags, const timespec* length, timespec* left) {
    COIR_BEHIND behind{"clock_nanosleep", twin::clock_nanosleep};
    return pass(behind, unless_zero(length, category::sleep), clock, flags, length, left);
}

COIR_HOOK int usleep(useconds_t microseconds) {
    COIR_BEHIND behind{"usleep", twin::usleep};
    return pass(behind, when(microseconds > 0, category::sleep), microseconds);
}

COIR_HOOK unsigned sleep(unsigned seconds) {
    COIR_BEHIND behind{"sleep", twin::sleep};
    return pass(behind, when(seconds > 0, category::sleep), seconds);
}

// ---- poll ----------------------------------------------------------------------------------------------------------

COIR_HOOK int poll(pollfd* asked, nfds_t count, int milliseconds) {
    COIR_BEHIND behind{"poll", twin::poll};
    return pass(behind, when(milliseconds != 0, class_of_poll(count)), asked, count, milliseconds);
}

COIR_HOOK int ppoll(pollfd* asked, nfds_t count, const timespec* limit, const sigset_t* mask) {
    COIR_BEHIND behind{"ppoll", twin::ppoll};
    return pass(behind, unless_zero(limit, class_of_poll(count)), asked, count, limit, mask);
}

COIR_HOOK int __poll_chk(pollfd* asked, nfds_t count, int milliseconds, std::size_t room) {
    COIR_BEHIND behind{"__poll_chk", "poll", twin::poll_chk};
    return pass(behind, when(milliseconds != 0, class_of_poll(count)), asked, count, milliseconds, room);
}

COIR_HOOK int __ppoll_chk(pollfd* asked, nfds_t count, const timespec* limit, const sigset_t* mask, std::size_t room) {
    COIR_BEHIND behind{"__ppoll_chk", "ppoll", twin::ppoll_chk};
    return pass(behind, unless_zero(limit, class_of_poll(count)), asked, count, limit, mask, room);
}

COIR_HOOK int select(int count, fd_set* reads, fd_set* writes, fd_set* excepts, timeval* limit) {
    COIR_BEHIND behind{"select", twin::select};
    return pass(behind, unless_zero(limit, count == 0 ? category::sleep : category::poll), count, reads, writes,
                excepts, limit);
}

COIR_HOOK int pselect(int count, fd_set* reads, fd_set* writes, fd_set* excepts, const timespec* limit,
                      const sigset_t* mask) {
    COIR_BEHIND behind{"pselect", twin::pselect};
    return pass(behind, unless_zero(limit, count == 0 ? category::sleep : category::poll), count, reads, writes,
                excepts, limit, mask);
}

COIR_HOOK int epoll_wait(int epoll, epoll_event* events, int events_max, int milliseconds) {
    COIR_BEHIND behind{"epoll_wait", twin::epoll_wait};
    return pass(behind, when(milliseconds != 0, category::poll), epoll, events, events_max, milliseconds);
}

COIR_HOOK int epoll_pwait(int epoll, epoll_event* events, int events_max, int milliseconds, const sigset_t* mask) {
    COIR_BEHIND behind{"epoll_pwait", twin::epoll_pwait};
    return pass(behind, when(milliseconds != 0, category::poll), epoll, events, events_max, milliseconds, mask);
}

// ---- sockets -------------------------------------------------------------------------------------------------------

COIR_HOOK int connect(int socket, const sockaddr* address, socklen_t length) {
    COIR_BEHIND behind{"connect", twin::connect};
    return pass(behind, when_blocking(socket), socket, address, length);
}

COIR_HOOK int accept(int socket, sockaddr* address, socklen_t* length) {
    COIR_BEHIND behind{"accept", twin::accept};
    return pass(behind, when_blocking(socket), socket, address, length);
}

COIR_HOOK int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
    COIR_BEHIND behind{"accept4", twin::accept4};
    return pass(behind, when_blocking(socket), socket, address, length, flags);
}

COIR_HOOK ssize_t recv(int socket, void* into, std::size_t bytes, int flags) {
    COIR_BEHIND behind{"recv", twin::recv};
    return pass(behind, when_blocking(socket, flags), socket, into, bytes, flags);
}

COIR_HOOK ssize_t recvfrom(int socket, void* into, std::size_t bytes, int flags, sockaddr* from, socklen_t* length) {
    COIR_BEHIND behind{"recvfrom", twin::recvfrom};
    return pass(behind, when_blocking(socket, flags), socket, into, bytes, flags, from, length);
}

COIR_HOOK ssize_t recvmsg(int socket, msghdr* into, int flags) {
    COIR_BEHIND behind{"recvmsg", twin::recvmsg};
    return pass(behind, when_blocking(socket, flags), socket, into, flags);
}

COIR_HOOK int recvmmsg(int socket, mmsghdr* into, unsigned count, int flags, timespec* limit) {
    COIR_BEHIND behind{"recvmmsg", twin::recvmmsg};
    return pass(behind, when_blocking(socket, flags), socket, into, count, flags, limit);
}

COIR_HOOK ssize_t send(int socket, const void* from, std::size_t bytes, int flags) {
    COIR_BEHIND behind{"send", twin::send};
    return pass(behind, when_blocking(socket, flags), socket, from, bytes, flags);
}

COIR_HOOK ssize_t sendto(int socket, const void* from, std::size_t bytes, int flags, const sockaddr* to,
                         socklen_t length) {
    COIR_BEHIND behind{"sendto", twin::sendto};
    return pass(behind, when_blocking(socket, flags), socket, from, bytes, flags, to, length);
}

COIR_HOOK ssize_t sendmsg(int socket, const msghdr* from, int flags) {
    COIR_BEHIND behind{"sendmsg", twin::sendmsg};
    return pass(behind, when_blocking(socket, flags), socket, from, flags);
}

COIR_HOOK int sendmmsg(int socket, mmsghdr* from, unsigned count, int flags) {
    COIR_BEHIND behind{"sendmmsg", twin::sendmmsg};
    return pass(behind, when_blocking(socket, flags), socket, from, count, flags);
}

COIR_HOOK ssize_t __recv_chk(int socket, void* into, std::size_t bytes, std::size_t room, int flags) {
    COIR_BEHIND behind{"__recv_chk", "recv", twin::recv_chk};
    return pass(behind, when_blocking(socket, flags), socket, into, bytes, room, flags);
}

COIR_HOOK ssize_t __recvfrom_chk(int socket, void* into, std::size_t bytes, std::size_t room, int flags, sockaddr* from,
                                 socklen_t* length) {
    COIR_BEHIND behind{"__recvfrom_chk", "recvfrom", twin::recvfrom_chk};
    return pass(behind, when_blocking(socket, flags), socket, into, bytes, room, flags, from, length);
}

// ---- any descriptor ------------------------------------------------------------------------------------------------

COIR_HOOK ssize_t read(int fd, void* into, std::size_t bytes) {
    COIR_BEHIND behind{"read", twin::read};
    return pass(behind, when_blocking_stream(fd), fd, into, bytes);
}

COIR_HOOK ssize_t __read_chk(int fd, void* into, std::size_t bytes, std::size_t room) {
    COIR_BEHIND behind{"__read_chk", "read", twin::read_chk};
    return pass(behind, when_blocking_stream(fd), fd, into, bytes, room);
}

COIR_HOOK ssize_t readv(int fd, const iovec* into, int count) {
    COIR_BEHIND behind{"readv", twin::readv};
    return pass(behind, when_blocking_stream(fd), fd, into, count);
}

COIR_HOOK ssize_t write(int fd, const void* from, std::size_t bytes) {
    COIR_BEHIND behind{"write", twin::write};
    return pass(behind, least_for(fd), when_blocking_stream(fd), fd, from, bytes);
}

COIR_HOOK ssize_t writev(int fd, const iovec* from, int count) {
    COIR_BEHIND behind{"writev", twin::writev};
    return pass(behind, least_for(fd), when_blocking_stream(fd), fd, from, count);
}

// ---- names ---------------------------------------------------------------------------------------------------------

COIR_HOOK int getaddrinfo(const char* host, const char* service, const addrinfo* wanted, addrinfo** found) {
    COIR_BEHIND behind{"getaddrinfo", twin::getaddrinfo};
    return pass_by_name(behind, always(category::dns), host, service, wanted, found);
}

// ---- processes -----------------------------------------------------------------------------------------------------

COIR_HOOK int system(const char* command) {
    COIR_BEHIND behind{"system", twin::system};
    return pass_by_name(behind, when(command != nullptr, category::process), command);
}

COIR_HOOK FILE* popen(const char* command, const char* mode) {
    COIR_BEHIND behind{"popen", twin::popen};
    return pass_by_name(behind, always(category::process), command, mode);
}

COIR_HOOK pid_t wait(int* status) {
    COIR_BEHIND behind{"wait", twin::wait};
    return pass(behind, always(category::process), status);
}

COIR_HOOK pid_t waitpid(pid_t child, int* status, int options) {
    COIR_BEHIND behind{"waitpid", twin::waitpid};
    return pass(behind, when((options & WNOHANG) == 0, category::process), child, status, options);
}

COIR_HOOK pid_t wait4(pid_t child, int* status, int options, rusage* usage) noexcept {
    COIR_BEHIND behind{"wait4", twin::wait4};
    return pass(behind, when((options & WNOHANG) == 0, category::process), child, status, options, usage);
}

COIR_HOOK int waitid(idtype_t what, id_t id, siginfo_t* status, int options) {
    COIR_BEHIND behind{"waitid", twin::waitid};
    return pass(behind, when((options & WNOHANG) == 0, category::process), what, id, status, options);
}

// ---- locks and threads ---------------------------------------------------------------------------------------------

COIR_HOOK int flock(int fd, int operation) noexcept {
    COIR_BEHIND behind{"flock", twin::flock};
    return pass(behind, when((operation & (LOCK_NB | LOCK_UN)) == 0, category::lock), fd, operation);
}

COIR_HOOK int lockf(int fd, int operation, off_t length) {
    COIR_BEHIND behind{"lockf", twin::lockf};
    return pass(behind, when(operation == F_LOCK, category::lock), fd, operation, length);
}

COIR_HOOK int sem_wait(sem_t* semaphore) {
    COIR_BEHIND behind{"sem_wait", twin::sem_wait};
    return pass(behind, when_empty(semaphore), semaphore);
}

COIR_HOOK int sem_timedwait(sem_t* semaphore, const timespec* until) {
    COIR_BEHIND behind{"sem_timedwait", twin::sem_timedwait};
    return pass(behind, when_empty(semaphore), semaphore, until);
}

COIR_HOOK int pthread_join(pthread_t thread, void** result) {
    COIR_BEHIND behind{"pthread_join", twin::pthread_join};
    return pass_by_name(behind, always(category::lock), thread, result);
}

// ---- disks ---------------------------------------------------------------------------------------------------------

COIR_HOOK int fsync(int fd) {
    COIR_BEHIND behind{"fsync", twin::fsync};
    return pass(behind, always(category::disk), fd);
}

COIR_HOOK int fdatasync(int fd) {
    COIR_BEHIND behind{"fdatasync", twin::fdatasync};
    return pass(behind, always(category::disk), fd);
}

// ---- signals -------------------------------------------------------------------------------------------------------

COIR_HOOK int sigaction(int signal, const struct sigaction* action, struct sigaction* before) noexcept {
    COIR_BEHIND behind{"sigaction", twin::sigaction};
    return sigaction_beside_traps(behind.get(), signal, action, before);
}

COIR_HOOK int pause() {
    COIR_BEHIND behind{"pause", twin::pause};
    return pass(behind, always(category::signal));
}
