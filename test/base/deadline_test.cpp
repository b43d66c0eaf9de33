#include <coir/deadline.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

using namespace std::chrono_literals;
using coir::deadline;

namespace {

constexpr auto largest = std::numeric_limits<std::int64_t>::max();

std::int64_t now() { return coir::clock::now().time_since_epoch().count(); }

}  // namespace

TEST_CASE("deadline: by default there is no deadline") {
    CHECK(deadline{}.is_never());
    CHECK(coir::never.is_never());
    CHECK_FALSE(coir::never.has_passed());
    CHECK(coir::never.nanoseconds() == largest);
    CHECK(deadline{1h} < coir::never);
}

TEST_CASE("deadline: a duration counts from now") {
    const auto before = now();
    const deadline soon = 10s;
    const auto after = now();
    CHECK(soon.nanoseconds() >= before + 10'000'000'000);
    CHECK(soon.nanoseconds() <= after + 10'000'000'000);
    CHECK_FALSE(soon.has_passed());
    CHECK(deadline{20s} > soon);
}

TEST_CASE("deadline: a duration too long to represent means forever") {
    CHECK(deadline{std::chrono::hours::max()}.is_never());
    CHECK(deadline{std::chrono::nanoseconds::max()}.is_never());
    CHECK(deadline{std::chrono::nanoseconds::max() - 1ns}.is_never());
    CHECK(deadline{std::chrono::years{1'000}}.is_never());
    CHECK(deadline{std::chrono::duration<std::uint64_t, std::nano>::max()}.is_never());
    CHECK(deadline{std::chrono::duration<float>{1e30F}}.is_never());
    CHECK(deadline{std::chrono::duration<double>{std::numeric_limits<double>::infinity()}}.is_never());
}

TEST_CASE("deadline: a negative duration means now, however negative") {
    const auto passes = [](deadline limit) {
        CHECK_FALSE(limit.is_never());
        CHECK(limit.has_passed());
        CHECK(limit.nanoseconds() > 0);
    };
    passes(-1ns);
    passes(0s);
    passes(std::chrono::hours::min());
    passes(std::chrono::nanoseconds::min());
    passes(std::chrono::duration<double>{-std::numeric_limits<double>::infinity()});
    passes(std::chrono::duration<double>{-0.5});
}

TEST_CASE("deadline: NaN means forever") {
    CHECK(deadline{std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}}.is_never());
    CHECK(deadline{std::chrono::duration<float, std::milli>{std::numeric_limits<float>::quiet_NaN()}}.is_never());
}

TEST_CASE("deadline: a fraction of a nanosecond is rounded up, so that a wait never ends early") {
    using steady = std::chrono::steady_clock;
    using picoseconds = std::chrono::duration<std::int64_t, std::pico>;
    using pico_point = std::chrono::time_point<steady, picoseconds>;
    CHECK(deadline{pico_point{picoseconds{1'001}}}.nanoseconds() == 2);
    CHECK(deadline{pico_point{picoseconds{1'000}}}.nanoseconds() == 1);
    CHECK(deadline{pico_point{picoseconds{-1'001}}}.nanoseconds() == -1);

    using float_point = std::chrono::time_point<steady, std::chrono::duration<double, std::nano>>;
    using float_nanoseconds = std::chrono::duration<double, std::nano>;
    CHECK(deadline{float_point{float_nanoseconds{1.25}}}.nanoseconds() == 2);
    CHECK(deadline{float_point{float_nanoseconds{2.0}}}.nanoseconds() == 2);

    const auto before = now();
    CHECK(deadline{picoseconds{1}}.nanoseconds() >= before + 1);
}

TEST_CASE("deadline: periods that are no multiple of a nanosecond do not overflow") {
    using frames = std::chrono::duration<std::int64_t, std::ratio<1'001, 30'000>>;
    using thirds = std::chrono::duration<std::int64_t, std::ratio<1, 3>>;
    constexpr std::int64_t year = 365 * 24 * 3'600;
    for (const std::int64_t years : {1, 50, 98, 150, 200}) {
        const auto expected = now() + years * year * 1'000'000'000;
        CHECK(deadline{thirds{3 * years * year}}.nanoseconds() >= expected);
        CHECK(deadline{thirds{3 * years * year}}.nanoseconds() <= expected + 60'000'000'000);
        CHECK(deadline{frames{years * year * 30'000 / 1'001}}.nanoseconds() >= expected - 60'000'000'000);
        CHECK(deadline{frames{years * year * 30'000 / 1'001}}.nanoseconds() <= expected + 60'000'000'000);
    }
    CHECK(deadline{thirds::max()}.is_never());
    CHECK(deadline{frames::min()}.has_passed());
}

TEST_CASE("deadline: floating-point durations are supported") {
    const auto before = now();
    const deadline half = std::chrono::duration<double>{0.5};
    CHECK(half.nanoseconds() >= before + 500'000'000);
    CHECK(half.nanoseconds() <= now() + 500'000'000);
}

TEST_CASE("deadline: coarse integer durations are supported, even if their type cannot represent the nanoseconds") {
    const auto before = now();
    const deadline minutes = std::chrono::duration<std::int8_t, std::ratio<60>>{100};
    CHECK(minutes.nanoseconds() >= before + 6'000'000'000'000);
    CHECK(minutes.nanoseconds() <= now() + 6'000'000'000'000);
}

TEST_CASE("deadline: a time point of either clock is not converted") {
    const auto steady = std::chrono::steady_clock::now() + 5s;
    CHECK(deadline{steady}.nanoseconds() == steady.time_since_epoch().count());
    const auto point = coir::clock::now() + 5s;
    CHECK(deadline{point}.nanoseconds() == point.time_since_epoch().count());
    CHECK(deadline{point}.time_point() == point);

    const auto in_seconds = std::chrono::time_point_cast<std::chrono::seconds>(steady);
    CHECK(deadline{in_seconds}.nanoseconds() == std::chrono::nanoseconds{in_seconds.time_since_epoch()}.count());
}

TEST_CASE("deadline: a time point in the past has passed, and the maximum means forever") {
    CHECK(deadline{std::chrono::steady_clock::now() - 1ns}.has_passed());
    CHECK(deadline{std::chrono::steady_clock::time_point{}}.has_passed());
    CHECK(deadline{std::chrono::steady_clock::time_point::min()}.has_passed());
    CHECK(deadline{std::chrono::steady_clock::time_point::max()}.is_never());
    CHECK(deadline{coir::clock::time_point::max()}.is_never());
    using far = std::chrono::time_point<std::chrono::steady_clock, std::chrono::hours>;
    CHECK(deadline{far::max()}.is_never());
}

TEST_CASE("deadline: clock converts to and from steady_clock") {
    const auto before = std::chrono::steady_clock::now().time_since_epoch();
    const auto between = coir::clock::now().time_since_epoch();
    const auto after = std::chrono::steady_clock::now().time_since_epoch();
    CHECK(before <= between);
    CHECK(between <= after);
}
