#pragma once

/// @file Layer base.

#include <coir/detail/base/platform.hpp>

#include <coir/clock.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>

namespace coir {

namespace detail {

/// A clock besides those that a `deadline` knows ([time.clock.req]).
template <class Clock>
concept other_clock = !std::is_same_v<Clock, clock> && !std::is_same_v<Clock, std::chrono::steady_clock> && requires {
    Clock::now().time_since_epoch();
};

}  // namespace detail

/// A limit in time: the last parameter of every call that suspends. Constructed from a duration (counted from now) or
/// from a point of `coir::clock`, of `std::chrono::steady_clock`, or of any other clock. The default is no limit. A
/// duration that is too long to be represented means forever; a negative one means now. A point of another clock, such as
/// `system_clock`, is converted to the time that is left: if that clock is set meanwhile, the limit does not move.
///
/// A limit is for what does not come. A call that finds what it waits for when it looks for the last time succeeds,
/// also if the fiber runs only after the limit. With a limit of 0 a call looks once, as poll(2) does. What a thread of
/// coir does for the call takes a moment: `io::file` and `net::resolve` say what a limit of 0 means for them.
///
/// @code
/// using namespace std::chrono_literals;
/// coir::channel<int> numbers{1};
/// const coir::deadline soon = 10ms;
/// try {
///     numbers.recv(soon);
/// } catch (const coir::timed_out&) {
/// }
/// @endcode
class deadline {
public:
    constexpr deadline() noexcept = default;

    template <class Rep, class Period>
    deadline(std::chrono::duration<Rep, Period> from_now) noexcept : at_{after(clamp(from_now))} {}

    template <class Duration>
    constexpr deadline(std::chrono::time_point<clock, Duration> at) noexcept : at_{clamp(at.time_since_epoch())} {}

    template <class Duration>
    deadline(std::chrono::time_point<std::chrono::steady_clock, Duration> at) noexcept
        : at_{clamp(at.time_since_epoch())} {
        if (!is_never()) at_ = detail::from_steady_clock(at_);
    }

    template <class Clock, class Duration>
    requires detail::other_clock<Clock> deadline(std::chrono::time_point<Clock, Duration> at)
        : at_{after(clamp(since_epoch(at) - since_epoch(Clock::now())))} {}

    [[nodiscard]] constexpr bool is_never() const noexcept { return at_ == forever; }

    /// Whether the point in time is reached. Reads the clock, unless there is no limit.
    [[nodiscard]] bool has_passed() const noexcept { return !is_never() && at_ <= now(); }

    /// Nanoseconds on `coir::clock`; the largest value when there is no limit.
    [[nodiscard]] constexpr std::int64_t nanoseconds() const noexcept { return at_; }

    [[nodiscard]] constexpr clock::time_point time_point() const noexcept {
        return clock::time_point{std::chrono::nanoseconds{at_}};
    }

    friend constexpr auto operator<=>(const deadline&, const deadline&) noexcept = default;

private:
    static constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();

    static std::int64_t now() noexcept { return clock::now().time_since_epoch().count(); }

    static std::int64_t after(std::int64_t from_now) noexcept {
        if (from_now == forever) return forever;
        const std::int64_t at = now();
        return from_now <= 0 ? at : from_now >= forever - at ? forever : at + from_now;
    }

    /// Of any size, with 64 bits of precision.
    template <class TimePoint> static auto since_epoch(TimePoint at) {
        return std::chrono::duration<long double, std::nano>{at.time_since_epoch()};
    }

    /// Converts to nanoseconds: rounded up, so that no wait ends early, and saturated at both ends. NaN means forever.
    template <class Rep, class Period>
    static constexpr std::int64_t clamp(std::chrono::duration<Rep, Period> length) noexcept {
        using wide = std::chrono::duration<long double, std::nano>;
        constexpr auto limit = static_cast<long double>(forever);
        const long double count = std::chrono::duration_cast<wide>(length).count();
        if (!(count < limit)) return forever;
        if (count <= -limit) return -forever;
        if constexpr (std::ratio_divide<Period, std::nano>::den == 1 && !std::is_floating_point_v<Rep>) {
            return std::chrono::nanoseconds{length}.count();
        } else {
            // A conversion by integers would overflow for periods like std::ratio<1001, 30000>.
            const auto whole = static_cast<std::int64_t>(count);
            return static_cast<long double>(whole) < count ? whole + 1 : whole;
        }
    }

    std::int64_t at_ = forever;
};

/// No limit in time.
inline constexpr deadline never{};

}  // namespace coir
