#pragma once

#include <array>
#include <chrono>
#include <coir/blocking.hpp>

#include "detect/sightings.hpp"

namespace coir::detail {

/// A system call with its arguments, as a fiber makes it.
struct trapped_call {
    long number = 0;
    std::array<long, 6> arguments{};
};

/// What can be said of a system call before it is made. Descriptors are asked about, nothing is changed.
struct forecast {
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

/// Safe in signal handlers.
[[nodiscard]] forecast forecast_of(const trapped_call& call) noexcept;

/// What reports call it: "nanosleep", "system call 440".
[[nodiscard]] call_name name_of_system_call(long number) noexcept;

}  // namespace coir::detail
