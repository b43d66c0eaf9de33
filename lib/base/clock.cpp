#include <coir/clock.hpp>

#include "base/virtual_clock.hpp"

#include <limits>

namespace coir {

using detail::virtual_clock;

thread_local constinit const virtual_clock* virtual_clock::of_this_thread_ = nullptr;

clock::time_point clock::now() noexcept {
    const virtual_clock* const simulated = virtual_clock::of_this_thread();
    return time_point{std::chrono::nanoseconds{simulated == nullptr ? virtual_clock::real_now() : simulated->now()}};
}

std::int64_t detail::from_steady_clock(std::int64_t at) noexcept {
    const virtual_clock* const simulated = virtual_clock::of_this_thread();
    if (simulated == nullptr) return at;
    const std::int64_t now = virtual_clock::real_now();
    if (at <= now) return simulated->now();
    const std::int64_t left = at - now;
    constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();
    return left >= forever - simulated->now() ? forever : simulated->now() + left;
}

}  // namespace coir
