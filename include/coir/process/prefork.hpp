#pragma once

#include <coir/process/prefork_options.hpp>
#include <coir/process/worker.hpp>

#include <functional>

namespace coir {

/// Runs a server as `workers` processes (0: `available_cores()` processes) that share its listening sockets, and
/// supervises them. Each worker runs `main` as the first fiber of its own scheduler. The parent runs no fibers: it
/// waits, forks and counts. Its sockets stay open while workers start and end, so a connection that waits to be
/// accepted is neither refused nor reset.
///
/// - A worker is replaced if it ends although the parent has not asked it to end, or if it is not ready in time: see
///   `restart_policy`. The log says how each worker ended.
/// - SIGTERM or SIGINT: the parent asks the workers to drain (`worker::draining`), and kills those that have not ended
///   within `prefork_options::grace`. A second signal kills the workers at once.
/// - SIGHUP: a rolling restart. For one index after the other, a new worker starts, and the parent asks the old worker
///   to drain once the new one is ready. If a new worker fails, the rolling restart ends, and the old workers stay. The
///   executable is not reloaded: a restart renews what `main` reads, its configuration or data.
/// - When the parent dies, for any reason, its workers stop: their fibers are stopped, and after two seconds the
///   process is killed, even if a fiber is blocking its thread.
/// - Under systemd (Type=notify), the parent sends READY=1 when all workers are ready for the first time, RELOADING=1
///   and READY=1 around a rolling restart, and STOPPING=1 (sd_notify(3)). Sockets from systemd are used
///   (sd_listen_fds(3)).
/// - As process 1 of a container, or as a "child subreaper" (prctl(2)), the parent reaps the processes that it adopts. It
///   leaves alone those that the program has started itself before `prefork` or in `prefork_options::on_stats`.
///
/// The parent sends SIGTERM to ask a worker to drain. A worker ignores SIGINT and SIGHUP, which a terminal sends to all
/// processes. A worker process ends with std::exit: with 0 if `main` has returned, with 1 if it has thrown; the
/// exception is logged. It is no error if all fibers of a worker wait forever, and no `deadlock` is thrown: the parent
/// may still ask the worker to drain.
///
/// Returns in the parent only, with the exit code for the program's own main: 0 after an orderly end, 1 if `prefork`
/// has given up, which is logged as an error. Call it before the program starts other threads: these do not exist in
/// the workers, where the locks that they hold stay locked (a warning is logged). `prefork` itself ends the threads that
/// an earlier `run` has left in coir's own pool. Signals reach `prefork` only if no other thread has SIGTERM, SIGINT or
/// SIGHUP unblocked. Throws `std::logic_error` if called within a fiber; `std::system_error` if a socket cannot be
/// bound, naming the endpoint, or if a descriptor from systemd is not a listening TCP socket.
///
/// @code
/// #include <coir/coir.hpp>
///
/// int main() {
///     return coir::prefork(
///         2,
///         [](coir::worker& self) {
///             self.serve([](coir::net::tcp_stream peer) { peer.write_all("hello"); });
///         },
///         {.listen = {{"127.0.0.1", 0}}});
/// }
/// @endcode
int prefork(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options = {});

}  // namespace coir
