#pragma once

#include <coir/run.hpp>
#include <coir/thread/cores.hpp>

#include <functional>

namespace coir {

/// Runs a scheduler on each of `n` threads, `main(core)` as its first fiber, `core` from 0 to `n` - 1; 0 for `n`: as
/// many as `available_cores`. Returns when all have ended. Fibers never change thread, so what the cores share they
/// share by listeners of one port (`listen_options::reuse_port`), `concurrent_channel`, `scheduler_ref` and `spawn_on`.
///
/// When one `main` throws, those of the other cores are stopped, as by `fiber::request_stop`, and the first exception
/// comes out when all have ended. Otherwise each goes on until it returns: a `signal_set` on each core hears every
/// signal.
///
/// The threads are this call's own, named `coir-core-0` and so on; the calling one waits, and blocks. Each is bound to
/// a processor, the first of those that the process may use and so on, but not where there are more threads than these,
/// nor where a quota gives the process fewer than it may use: then the system chooses. `main` is called in all of them
/// at once, and so are the functions of `options`; its copies of `name` get the number of the core. Since any core may
/// be stopped from outside, `deadlock` is not thrown here.
///
/// Throws `std::logic_error` within a fiber, and what `run` throws; `std::system_error` when a thread cannot be had.
///
/// @code
/// std::atomic<unsigned> sum{0};
/// coir::run_on_cores(2, [&](unsigned core) { sum += core + 1; });
/// if (sum != 3) throw std::logic_error{"sum"};
/// @endcode
void run_on_cores(unsigned n, const std::function<void(unsigned core)>& main);
void run_on_cores(unsigned n, const run_options& options, const std::function<void(unsigned core)>& main);

}  // namespace coir
