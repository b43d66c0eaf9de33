#include "support/repeat_storm.hpp"

#include "support/limits.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
#include <unistd.h>

namespace coir::test {

std::chrono::seconds storm_time(std::chrono::seconds usual) {
    const char* const wanted = std::getenv("COIR_STORM_SECONDS");
    return wanted != nullptr ? std::chrono::seconds{std::stol(wanted)} : usual;
}

void repeat_storm(std::chrono::seconds usual, const std::function<void(std::uint64_t seed)>& storm) {
    using clock = std::chrono::steady_clock;
    const char* const wanted = std::getenv("COIR_SEED");
    const clock::time_point end = clock::now() + storm_time(usual);
    std::uint64_t seed = wanted != nullptr ? std::stoull(wanted) : 1;
    do {
        std::cout << "storm: COIR_SEED=" << seed << std::endl;
        ::alarm(seconds_until_hung);
        storm(seed);
        if (wanted == nullptr) ++seed;
    } while (clock::now() < end);
}

}  // namespace coir::test
