#pragma once

#include <chrono>

namespace coir::test {

/// Holds the thread for this duration, so that timers expire before the hub polls.
template <class Rep, class Period> void compute_for(std::chrono::duration<Rep, Period> length) {
    const auto until = std::chrono::steady_clock::now() + length;
    while (std::chrono::steady_clock::now() < until) {
    }
}

}  // namespace coir::test
