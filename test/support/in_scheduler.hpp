#pragma once

#include <coir/run.hpp>

#include <utility>

namespace coir::test {

/// Runs the test's body as the first fiber of a scheduler of its own, and returns its result. How long it may take, and
/// what a hang prints: see main.cpp.
template <class F> decltype(auto) in_scheduler(F&& body) { return coir::run(std::forward<F>(body)); }

template <class F> decltype(auto) in_scheduler(const run_options& options, F&& body) {
    return coir::run(options, std::forward<F>(body));
}

/// For a scheduler in which sleeping takes no time.
inline const run_options virtual_time{.clock = clock_mode::virtual_time};

}  // namespace coir::test
