#pragma once

#include <chrono>

namespace coir::test {

/// Holds the thread for that long: timers become due, and the hub has not looked.
template <class Rep, class Period> void compute_for(std::chrono::duration<Rep, Period> length) {
    const auto until = std::chrono::steady_clock::now() + length;
    while (std::chrono::steady_clock::now() < until) {
    }
}

}  // namespace coir::test
