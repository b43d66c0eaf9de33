#pragma once

#include <coir/detail/base/platform.hpp>

#include <chrono>
#include <cstdint>

namespace coir {

/// How time passes in a scheduler.
enum class clock_mode : std::uint8_t {
    real,
    /// The clock stands still while a fiber runs, and when all of them wait it jumps to the first of their timers: an
    /// hour's back-off passes at once. While the outside world is waited for (a descriptor, a signal, an `offload`) it
    /// goes as the real one does.
    virtual_time,
    /// As `virtual_time`, but it jumps while descriptors are waited for too, once none of them has become ready for a
    /// millisecond: for tests in which both ends of a connection are fibers of one scheduler.
    virtual_time_past_io,
};

/// The clock of every wait: `std::chrono::steady_clock` (CLOCK_MONOTONIC, clock_gettime(2)), or in a scheduler whose
/// `run_options::clock` is virtual that scheduler's, which begins at the same time. To other threads, those of
/// `offload` among them, it is always the real one.
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
/// A point of `std::chrono::steady_clock`, in nanoseconds, on `coir::clock`: as far from now.
[[nodiscard]] std::int64_t from_steady_clock(std::int64_t at) noexcept;
}  // namespace detail

}  // namespace coir
