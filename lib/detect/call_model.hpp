#pragma once

#include <coir/blocking.hpp>

#include <chrono>
#include <ctime>
#include <sys/time.h>

namespace coir::detail {

/// What can be said of a call before it is made. Descriptors are asked about, nothing is changed.
struct call_model {
    enum class sleeps {
        never,
        if_it_must,  // it can sleep; when it does not, that was luck: latent
        at_times,    // whether it can is not to be told: it counts when it has slept
        yields,      // it gives the thread's time away
    };

    sleeps when = sleeps::never;
    blocking_class category = blocking_class::other;
    std::chrono::nanoseconds least{0};  // a shorter sleep is nothing to speak of
};

inline constexpr call_model never_sleeps{};

constexpr call_model must(blocking_class category) noexcept {
    return {.when = call_model::sleeps::if_it_must, .category = category};
}

constexpr call_model must_if(bool can, blocking_class category) noexcept { return can ? must(category) : never_sleeps; }

constexpr call_model at_times(blocking_class category) noexcept {
    return {.when = call_model::sleeps::at_times, .category = category};
}

// What follows is safe in signal handlers and keeps errno.

/// A limit in time that is not waited for; a null pointer is none.
[[nodiscard]] bool is_zero(const timespec* limit) noexcept;
[[nodiscard]] bool is_zero(const timeval* limit) noexcept;

/// O_NONBLOCK is set, or it is no descriptor.
[[nodiscard]] bool is_nonblocking(long fd) noexcept;

[[nodiscard]] call_model model_of_sleep(const timespec* length) noexcept;

/// poll(2) on nothing is a sleep.
[[nodiscard]] call_model model_of_poll(long count, bool waits) noexcept;

/// `flags` are those of recv(2) and send(2).
[[nodiscard]] call_model model_of_socket(long fd, long flags = 0) noexcept;

/// read(2), write(2) and their kin: it depends on what the descriptor stands for.
[[nodiscard]] call_model model_of_stream(long fd) noexcept;

/// As above, and takes it for granted that O_NONBLOCK is not set.
[[nodiscard]] call_model model_of_blocking_stream(long fd) noexcept;

/// Of a write(2) for which `said` holds: what a program prints is of no interest, unless its reader keeps it waiting.
[[nodiscard]] call_model model_of_output(long fd, call_model said) noexcept;

}  // namespace coir::detail
