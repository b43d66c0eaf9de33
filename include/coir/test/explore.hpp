#pragma once

#include <coir/run.hpp>

#include <cstddef>
#include <functional>

namespace coir::test {

/// Looks for orders of fibers that break `test`: runs it `runs` times, each as the first fiber of a new scheduler and
/// with another `run_options::seed` (1, 2, ...), which determines the order in which ready fibers run and simultaneous
/// timers fire. Half of the seeds draw at each suspension; the others keep to priorities that change at few steps,
/// which finds races that need one fiber to be late for long. Time is virtual unless `options` says otherwise.
///
/// Ends with the first run that fails: logs its seed and throws what the run has thrown (`deadlock` too), or what a
/// fiber threw that nobody asked, unless `options.on_unhandled_exception` takes care of that. So `test` throws where it
/// is not content. With COIR_SEED=n in the environment only that seed is run: the same failure at once, in a debugger
/// for instance. Throws `std::invalid_argument` when COIR_SEED is no number.
///
/// What is replayed is the order in which the scheduler resumes fibers: threads, `offload` and descriptors bring their
/// own.
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
