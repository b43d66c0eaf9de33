#pragma once

#include <coir/run.hpp>

#include <cstddef>
#include <functional>

namespace coir::test {

/// Searches for orders of fibers that break `test`. Runs it `runs` times, each time as the first fiber of a new
/// scheduler with another `run_options::seed` (1, 2, ...). The seed determines the order in which ready fibers run and
/// simultaneous timers fire. Half of the seeds choose at random at each suspension. The others use priorities that
/// change at a few steps only, which finds races that need one fiber to be delayed for long. Time is virtual unless
/// `options` says otherwise.
///
/// Ends with the first run that fails: logs its seed and throws the exception of the run (also `deadlock`). An
/// exception that escapes a fiber whose result can no longer be retrieved is a failure too, unless
/// `options.on_unhandled_exception` handles it. So `test` should throw if a check fails. If COIR_SEED=n is in the
/// environment, only that seed is run: it reproduces a failure at once, for example in a debugger. Throws
/// `std::invalid_argument` if COIR_SEED is no number.
///
/// Only the order in which the scheduler resumes fibers is reproduced. The timing of threads, `offload` and descriptors
/// is not.
///
/// @code
/// coir::test::explore(100, [] {
///     int balance = 0;
///     coir::mutex turns;  // without it, some order loses a deposit
///     const auto deposit = [&] {
///         const std::lock_guard mine{turns};
///         const int before = balance;
///         coir::this_fiber::yield();
///         balance = before + 10;
///     };
///     coir::gather(deposit, deposit);
///     if (balance != 20) throw std::logic_error{"a deposit is lost"};
/// });
/// @endcode
void explore(std::size_t runs, const std::function<void()>& test,
             run_options options = {.clock = clock_mode::virtual_time});

}  // namespace coir::test
