#pragma once

#include <coir/blocking.hpp>

#include <chrono>
#include <ctime>
#include <sys/time.h>

namespace coir::detail {

/// What can be predicted about a call before it is made.
struct call_model {
    enum class sleeps {
        never,
        unless_ready,   // sleeps unless its result is available at once; a call that did not sleep is `latent`
        unpredictable,  // may sleep or not: reported only if it slept
        yields,         // gives up the processor for a moment (sched_yield)
    };

    sleeps when = sleeps::never;
    blocking_class category = blocking_class::other;
    std::chrono::nanoseconds least{0};  // a shorter sleep is not reported
};

inline constexpr call_model never_sleeps{};

constexpr call_model may_sleep(blocking_class category) noexcept {
    return {.when = call_model::sleeps::unless_ready, .category = category};
}

constexpr call_model may_sleep_if(bool can, blocking_class category) noexcept {
    return can ? may_sleep(category) : never_sleeps;
}

constexpr call_model unpredictable(blocking_class category) noexcept {
    return {.when = call_model::sleeps::unpredictable, .category = category};
}

// The functions below are safe in signal handlers and preserve errno. Some ask the kernel about a descriptor; none
// changes anything.

/// Whether a time limit means "do not wait". A null pointer means no limit, so false.
[[nodiscard]] bool is_zero(const timespec* limit) noexcept;
[[nodiscard]] bool is_zero(const timeval* limit) noexcept;

/// Whether O_NONBLOCK is set, or `fd` is not open, so that the call fails at once.
[[nodiscard]] bool is_nonblocking(long fd) noexcept;

[[nodiscard]] call_model model_of_sleep(const timespec* length) noexcept;

/// `waits`: the time limit is not zero. poll(2) of no descriptors is a sleep.
[[nodiscard]] call_model model_of_poll(long count, bool waits) noexcept;

/// `flags` are those of recv(2) and send(2).
[[nodiscard]] call_model model_of_socket(long fd, long flags = 0) noexcept;

/// For read(2), write(2) and similar calls. Depends on the type of the file.
[[nodiscard]] call_model model_of_stream(long fd) noexcept;

/// As `model_of_stream`, but assumes that O_NONBLOCK is not set.
[[nodiscard]] call_model model_of_blocking_stream(long fd) noexcept;

/// For a write(2) whose model is otherwise `model`. On standard output and standard error only a sleep of a millisecond
/// or more counts.
[[nodiscard]] call_model model_of_output(long fd, call_model model) noexcept;

}  // namespace coir::detail
