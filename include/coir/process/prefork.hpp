#pragma once

#include <coir/process/prefork_options.hpp>
#include <coir/process/worker.hpp>

#include <functional>

namespace coir {

/// Runs a server as `workers` processes (0: as many as `available_cores`) that share its listening sockets, and looks
/// after them. Each worker runs `main` as the first fiber of a scheduler of its own. The parent has no fibers: it
/// waits, forks and counts. Its sockets stay open while workers come and go, so a connection that waits to be accepted
/// is neither refused nor reset.
///
/// - A worker that ends without having been told to, or is not ready in time, is replaced: see `restart_policy`. How
///   each has ended is in the log.
/// - SIGTERM or SIGINT: the workers are told to drain (`worker::draining`), those that have not ended within
///   `prefork_options::grace` are killed. A second signal kills them at once.
/// - SIGHUP: a rolling restart. In one place after the other a new worker begins, and once it is ready the old one is
///   told to drain. Where the new one fails, the roll ends, and the old ones stay. The program stays what it is: new is
///   what `main` reads anew, its configuration or data.
/// - When the parent dies, however it does, its workers stop: each fiber is stopped, and after two seconds the process
///   is ended, be it that a fiber holds the thread.
/// - Under systemd (Type=notify) it says READY=1 when all workers are ready for the first time, RELOADING=1 and READY=1
///   around a rolling restart, STOPPING=1 (sd_notify(3)); sockets are taken over (sd_listen_fds(3)).
///
/// A worker is told by SIGTERM, and ignores SIGINT and SIGHUP, which a terminal sends to all. Its process ends by
/// std::exit: with 0 when `main` has returned, with 1 when it has thrown, which is logged. It is no error, and there is
/// no deadlock, when all its fibers wait for ever: it might yet be told to drain.
///
/// Returns in the parent alone, the exit code for its own main: 0 after an orderly end, 1 when it has given up, which
/// is in the log as an error. To be called before the program has other threads (they do not exist in the workers, but
/// what they hold does; a warning is logged), and for SIGTERM, SIGINT and SIGHUP to arrive, with none that has them
/// unblocked. Throws `std::logic_error` within a fiber; `std::system_error` when a socket cannot be bound, naming the
/// endpoint, or when what systemd has handed over is no listening TCP socket.
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
