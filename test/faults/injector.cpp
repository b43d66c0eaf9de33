#include "faults/injector.hpp"

#include "base/system_call.hpp"

#include <cerrno>
#include <csignal>
#include <dlfcn.h>
#include <netdb.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>

namespace coir::faults {

namespace {

enum index : std::size_t {
#define SYSTEM_CALL(name, ...) stub_##name,
#define FUNCTION(result, name, ...) libc_##name,
#include "faults/calls.def"
#undef SYSTEM_CALL
#undef FUNCTION
    wakeup,
    thread_start,
    memory,
    call_count,
};
static_assert(call_count <= calls_max);

template <int... Errors> constexpr std::array<int, sizeof...(Errors)> errors_of{Errors...};

constexpr std::array<call, call_count> table{{
#define SYSTEM_CALL(name, ...) {#name, reports::by_number, SYS_##name, errors_of<__VA_ARGS__>},
#define FUNCTION(result, name, how, ...) {#name "()", reports::how, -1, errors_of<__VA_ARGS__>},
#include "faults/calls.def"
#undef SYSTEM_CALL
#undef FUNCTION
    // A write to an eventfd, which fails if its counter is full: then it is readable. coir wakes threads with it.
    {"wakeup", reports::by_number, -1, errors_of<EAGAIN>},
    {"std::thread", reports::throws, -1, errors_of<EAGAIN>},
    {"allocation", reports::throws, -1, errors_of<ENOMEM>},
}};

/// The index of a system call that is not in the table.
constexpr unsigned char not_listed = 0xff;

/// The index of each system call in the table.
constexpr auto indices = [] {
    std::array<unsigned char, 512> result{};
    result.fill(not_listed);
    for (std::size_t i = 0; i < table.size(); ++i)
        if (table[i].number >= 0) result[static_cast<std::size_t>(table[i].number)] = static_cast<unsigned char>(i);
    return result;
}();

injection* current = nullptr;

/// glibc's getaddrinfo crashes when some of its allocations fail (nss_database.c), and reports others as unknown names.
thread_local bool is_inside_resolver = false;

/// Eventfds, by descriptor.
std::array<std::atomic<bool>, 256> wakeups;

bool is_wakeup(long fd) noexcept { return fd >= 0 && fd < static_cast<long>(wakeups.size()) && wakeups[fd]; }
void forget_or_note(long fd, bool now) noexcept {
    if (fd >= 0 && fd < static_cast<long>(wakeups.size())) wakeups[fd] = now;
}

/// The error that this call of `which` is to fail with; 0: none.
int next(std::size_t which) noexcept {
    injection* const here = current;
    if (here == nullptr || !here->armed.load(std::memory_order_relaxed)) return 0;
    const unsigned nth = here->counts[which].fetch_add(1, std::memory_order_relaxed) + 1;
    if (here->planned.nth != nth || here->planned.call != which) return 0;
    here->done.store(true, std::memory_order_relaxed);
    return here->planned.error;
}

/// Calls that have their effect although they fail: close(2) frees the descriptor in any case, an interrupted connect(2)
/// goes on, and a connection that cannot be shut down is over.
bool takes_effect(std::size_t which, int error) noexcept {
    return which == wakeup || which == stub_shutdown || which == stub_close || which == libc_close ||
           (which == stub_connect && error == EINTR);
}

/// Whether the status of a child has been collected already: only then can ECHILD be injected.
bool is_collected(long type, long id) noexcept {
    siginfo_t about{};
    return ::waitid(static_cast<idtype_t>(type), static_cast<id_t>(id), &about, WEXITED | WNOHANG) == 0 &&
           about.si_pid != 0;
}

}  // namespace

std::span<const call> all_calls() { return table; }
std::size_t allocation() { return memory; }
void inject(injection& into) noexcept { current = &into; }

bool allocation_fails(const void* caller) noexcept {
    if (is_inside_resolver || next(memory) == 0) return false;
    Dl_info about{};
    if (::dladdr(caller, &about) != 0 && about.dli_fname != nullptr) {
        const std::string_view module = about.dli_fname;
        current->foreign =
            module.find(".so") != std::string_view::npos && module.find("libstdc++") == std::string_view::npos;
    }
    return true;
}

}  // namespace coir::faults

using namespace coir::faults;

// ---- the stub ----

extern "C" long __real_coir_system_call(long a, long b, long c, long d, long e, long f, long number);

namespace {

/// The kernel reports an edge after EAGAIN. The injected EAGAIN has left data behind, so ask for the edge again.
class registrations {
public:
    void note(long epoll, long operation, long fd, long event) noexcept {
        if (fd < 0 || fd >= static_cast<long>(known_.size()) || operation == EPOLL_CTL_DEL) return;
        known_[static_cast<std::size_t>(fd)] = {static_cast<int>(epoll), *reinterpret_cast<epoll_event*>(event)};
    }
    void ask_again(long fd) noexcept {
        if (fd < 0 || fd >= static_cast<long>(known_.size())) return;
        entry& known = known_[static_cast<std::size_t>(fd)];
        if (known.epoll > 0)
            __real_coir_system_call(known.epoll, EPOLL_CTL_MOD, fd, reinterpret_cast<long>(&known.event), 0, 0,
                                    SYS_epoll_ctl);
    }

private:
    struct entry {
        int epoll = 0;
        epoll_event event{};
    };
    std::array<entry, 256> known_;
} registered;

}  // namespace

extern "C" long __wrap_coir_system_call(long a, long b, long c, long d, long e, long f, long number) {
    std::size_t which = number >= 0 && number < 512 ? indices[static_cast<std::size_t>(number)] : not_listed;
    if (which == stub_write && is_wakeup(a)) which = wakeup;
    if (which == stub_prctl && b == 0) which = not_listed;  // dispatch that could be turned on can be turned off
    if (which == stub_close) forget_or_note(a, false);
    int error = which != not_listed ? next(which) : 0;
    if (error == ECHILD && !is_collected(a, b)) error = 0;
    if (error == 0) {
        const long result = __real_coir_system_call(a, b, c, d, e, f, number);
        if (number == SYS_epoll_ctl && result == 0) registered.note(a, b, c, d);
        return result;
    }
    if (takes_effect(which, error)) __real_coir_system_call(a, b, c, d, e, f, number);
    // The connection is gone from now on, for both ends.
    if (error == ECONNRESET || error == EPIPE || error == ETIMEDOUT)
        __real_coir_system_call(number == SYS_splice && error == EPIPE ? c : a, SHUT_RDWR, 0, 0, 0, 0, SYS_shutdown);
    if (error == EAGAIN) {
        registered.ask_again(a);
        if (number == SYS_splice) registered.ask_again(c);
    }
    return -error;
}

// ---- the C library: arguments are integers and pointers, at most six ----

namespace {

template <class Result> Result failed(std::size_t which, int error) noexcept {
    if (table[which].how == reports::returns_it) return static_cast<Result>(error);
    errno = error;
    return static_cast<Result>(-1);  // also MAP_FAILED
}

template <class Real> auto pass(std::size_t which, Real* real, long a, long b, long c, long d, long e, long f) {
    if (which == libc_close) forget_or_note(a, false);
    if (which == libc_getaddrinfo) is_inside_resolver = true;
    const auto result = real(a, b, c, d, e, f);
    is_inside_resolver = false;
    if (which == libc_eventfd) forget_or_note(static_cast<long>(result), true);
    return result;
}

}  // namespace

#define SYSTEM_CALL(name, ...)
#define FUNCTION(result, name, ...)                                                                                    \
    extern "C" result __real_##name(long a, long b, long c, long d, long e, long f);                                   \
    extern "C" result __wrap_##name(long a, long b, long c, long d, long e, long f) {                                  \
        int error = next(libc_##name);                                                                                 \
        if (error == ECHILD && !is_collected(P_PID, a)) error = 0;                                                     \
        if (error == 0) return pass(libc_##name, __real_##name, a, b, c, d, e, f);                                     \
        if (takes_effect(libc_##name, error)) __real_##name(a, b, c, d, e, f);                                         \
        return failed<result>(libc_##name, error);                                                                     \
    }
#include "faults/calls.def"
#undef SYSTEM_CALL
#undef FUNCTION

// std::thread::_M_start_thread(std::unique_ptr<_State>, void (*)()): the unique_ptr is passed by address.
extern "C" void
__real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(void*, void*, void*);
extern "C" void
__wrap__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(void* thread, void* state,
                                                                                             void* depend) {
    if (const int error = next(thread_start); error != 0)
        throw std::system_error{error, std::generic_category(), "std::thread"};
    __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(thread, state, depend);
}
