#pragma once

#include <coir/run.hpp>
#include <coir/thread/cores.hpp>

#include <functional>

namespace coir {

/// Runs a scheduler on each of `n` threads (0: `available_cores()` threads), with `main(core)` as its first fiber;
/// `core` is 0 to `n` - 1. Returns when all have ended. Fibers never change thread. The cores share work through
/// listeners on one port (`listen_options::reuse_port`), `concurrent_channel`, `scheduler_ref` and `spawn_on`.
///
/// If one `main` throws, the `main` of each other core is stopped, as with `fiber::request_stop`, and the first
/// exception is thrown when all have ended. Otherwise each `main` runs until it returns. To end all of them with a
/// signal, use a `signal_set` on each core: each set receives every signal.
///
/// The call creates the threads, named `coir-core-0` and so on, and blocks the calling thread. Each thread is bound to
/// one of the processors that the process may use, in order. They are not bound if there are more threads than such
/// processors, or if a quota gives the process fewer processors than it may use: then the system chooses. `main` and
/// the functions of `options` are called in all threads at the same time. The number of the core is appended to `name`.
/// `deadlock` is not thrown here, because any core may be stopped from outside.
///
/// Throws `std::logic_error` if called within a fiber, what `run` throws, and `std::system_error` if a thread cannot be
/// started.
///
/// @code
/// std::atomic<unsigned> sum{0};
/// coir::run_on_cores(2, [&](unsigned core) { sum += core + 1; });
/// if (sum != 3) throw std::logic_error{"sum"};
/// @endcode
void run_on_cores(unsigned n, const std::function<void(unsigned core)>& main);
void run_on_cores(unsigned n, const run_options& options, const std::function<void(unsigned core)>& main);

}  // namespace coir
