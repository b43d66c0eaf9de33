#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace coir::test {

/// How long storms last: COIR_STORM_SECONDS, or `usual` if it is not set.
std::chrono::seconds storm_time(std::chrono::seconds usual);

/// Calls `storm` with the seeds 1, 2, 3 and so on until the time is over, at least once. With COIR_SEED in the
/// environment, that is the seed of all calls. Prints each seed, so that the last one printed is that of a storm that
/// fails or hangs. Each storm has the time limit of a test case.
void repeat_storm(std::chrono::seconds usual, const std::function<void(std::uint64_t seed)>& storm);

}  // namespace coir::test
