#pragma once

#include "detect/calls/known_calls.hpp"

#include <chrono>
#include <ctime>
#include <sys/time.h>

namespace coir::detail {

/// What can be predicted about a call before it is made.
struct call_model {
    enum class sleeps {
        never,
        unless_ready,   // sleeps unless its result is available at once
        unpredictable,  // may sleep or not, and is too frequent to be observed by hooks
        yields,         // gives up the processor for a moment (sched_yield)
    };

    sleeps when = sleeps::never;
    blocking_class category = blocking_class::other;
    level_rule rule = level_rule::by_call;
    std::chrono::nanoseconds least{0};  // a shorter sleep is not reported
    bool latent = false;                // report it also if it did not sleep
    const char* call = nullptr;         // the name of the call, if it is not that of its function
};

inline constexpr call_model never_sleeps{};

constexpr call_model may_sleep(blocking_class category) noexcept {
    return {.when = call_model::sleeps::unless_ready, .category = category, .latent = true};
}

constexpr call_model may_sleep_if(bool can, blocking_class category) noexcept {
    return can ? may_sleep(category) : never_sleeps;
}

constexpr call_model unpredictable(blocking_class category) noexcept {
    return {.when = call_model::sleeps::unpredictable, .category = category};
}

/// For calls that usually do not sleep. A short sleep says nothing: it may be a contended lock inside the kernel, and on
/// a busy machine the thread then waits milliseconds for a processor.
constexpr call_model seldom_sleeps(call_model::sleeps when) noexcept {
    return {.when = when,
            .category = blocking_class::other,
            .rule = level_rule::once_long,
            .least = std::chrono::milliseconds{10}};
}

// The functions below are safe in signal handlers and preserve errno. Some ask the kernel about a descriptor; none
// changes anything. A pointer may be any value: the kernel refuses a call with one that it cannot read.

/// Whether a time limit means "do not wait", or cannot be read. A null pointer means no limit, so false.
[[nodiscard]] bool is_zero(const timespec* limit) noexcept;
[[nodiscard]] bool is_zero(const timeval* limit) noexcept;

/// Whether the moment `until` of `clock` has passed, or cannot be read, so that a wait until then does not sleep. A null
/// pointer means no limit, so false.
[[nodiscard]] bool is_over(clockid_t clock, const timespec* until) noexcept;

/// Whether O_NONBLOCK is set, or `fd` is not open, so that the call fails at once.
[[nodiscard]] bool is_nonblocking(long fd) noexcept;

[[nodiscard]] call_model model_of_sleep(const timespec* length) noexcept;

/// `waits`: the time limit is not zero. poll(2) of no descriptors is a sleep.
[[nodiscard]] call_model model_of_poll(long count, bool waits) noexcept;

/// For open(2) with `flags`: seldom waits for the other end of a FIFO, the holder of a lease or a distant file system.
[[nodiscard]] call_model model_of_open(long flags) noexcept;

/// For connect(2): a datagram socket is connected at once.
[[nodiscard]] call_model model_of_connect(long fd) noexcept;

/// For accept(2), recv(2) and similar calls; `flags` are those of recv(2). What the kernel itself answers does not
/// wait: sockets of the families AF_NETLINK and AF_ALG.
[[nodiscard]] call_model model_of_socket(long fd, long flags = 0) noexcept;

/// For send(2) and similar calls. One datagram usually has space: a warning.
[[nodiscard]] call_model model_of_send(long fd, long flags = 0) noexcept;

/// For read(2) and similar calls. Depends on the type of the file. Each read of descriptor 0 is an error: what is
/// behind it depends on who starts the program.
[[nodiscard]] call_model model_of_read(long fd) noexcept;

/// For write(2) and similar calls. What goes to standard output and standard error, or to duplicates of them, counts
/// only if it slept for long.
[[nodiscard]] call_model model_of_write(long fd) noexcept;

/// For close(2): waits for the peer if SO_LINGER is set on a TCP socket, also if it is non-blocking.
[[nodiscard]] call_model model_of_close(long fd) noexcept;

/// For fsync(2) and similar calls: an error where a device or a network is behind the file system.
[[nodiscard]] call_model model_of_sync(long fd) noexcept;

/// For calls that look up a path, with a warning where a device or a network is behind the file system. Elsewhere they
/// seldom sleep.
[[nodiscard]] call_model model_of_path(long folder, const char* path) noexcept;

/// For calls on an open file that look at its folder or its metadata.
[[nodiscard]] call_model model_of_open_file(long fd) noexcept;

}  // namespace coir::detail
