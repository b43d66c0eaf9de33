#pragma once

#include <coir/run.hpp>

#include <utility>

namespace coir::test {

/// Runs `body` as the first fiber of a new scheduler, and returns its result. main.cpp sets its time limit, and prints
/// the state of the fibers when it hangs.
template <class F> decltype(auto) in_scheduler(F&& body) { return coir::run(std::forward<F>(body)); }

template <class F> decltype(auto) in_scheduler(const run_options& options, F&& body) {
    return coir::run(options, std::forward<F>(body));
}

/// Options for virtual time, in which sleeping takes no real time.
inline const run_options virtual_time{.clock = clock_mode::virtual_time};

}  // namespace coir::test
