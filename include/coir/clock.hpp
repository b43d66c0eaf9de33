#pragma once

#include <coir/detail/base/platform.hpp>

#include <chrono>
#include <cstdint>

namespace coir {

/// How time passes in a scheduler.
enum class clock_mode : std::uint8_t {
    real,
    /// The clock stands still while a fiber runs. When all fibers wait, it jumps to the first of their timers: a delay
    /// of an hour passes at once. While a fiber waits for the outside world (a descriptor, a signal, an `offload`), the
    /// clock advances in real time.
    virtual_time,
    /// As `virtual_time`, but the clock also jumps while fibers wait for descriptors, once none of those descriptors
    /// has become ready for a millisecond. For tests in which both ends of a connection are fibers of one scheduler.
    virtual_time_past_io,
};

/// The clock of every wait: `std::chrono::steady_clock` (CLOCK_MONOTONIC, clock_gettime(2)). In a scheduler whose
/// `run_options::clock` is virtual, it is the clock of that scheduler, which begins at the real time. For other
/// threads, including those of `offload`, it is always the real clock.
///
/// @code
/// coir::run({.clock = coir::clock_mode::virtual_time}, [] {
///     const auto began = coir::clock::now();
///     coir::this_fiber::sleep_for(1h);  // passes at once
///     if (coir::clock::now() - began != 1h) throw std::logic_error{"clock"};
/// });
/// @endcode
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept;
};

namespace detail {
/// Converts a point of `std::chrono::steady_clock`, in nanoseconds, to the point of `coir::clock` that is equally far
/// from now.
[[nodiscard]] std::int64_t from_steady_clock(std::int64_t at) noexcept;
}  // namespace detail

}  // namespace coir
