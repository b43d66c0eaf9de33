#pragma once

/// @file Layer prefork.

#include <coir/net/endpoint.hpp>
#include <coir/run.hpp>
#include <coir/stats.hpp>

#include <chrono>
#include <functional>
#include <span>
#include <sys/types.h>
#include <vector>

namespace coir {

/// When to replace a worker that ended although the parent had not asked it to end. A worker that lived for at least
/// `settled` is replaced at once. Otherwise the replacement starts after a delay, which doubles with each early end in
/// a row. The early ends are counted for each worker index separately.
struct restart_policy {
    std::chrono::milliseconds first{100};       // the delay after the first early end
    std::chrono::milliseconds longest{10'000};  // the upper bound of the delay
    std::chrono::milliseconds settled{10'000};  // a worker that lived this long resets the count
    unsigned attempts = 10;                     // after this many early ends in a row, `prefork` gives up
};

/// The statistics of one worker's scheduler, at most one second old.
struct worker_stats {
    unsigned index;
    pid_t process;
    scheduler_stats scheduler;
};

/// Options of `prefork`.
struct prefork_options {
    /// The endpoints (IPv4 or IPv6) that the parent binds before any worker starts, with SO_REUSEADDR. If systemd
    /// passes sockets (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS), these are used instead of all the endpoints. As with
    /// all variables, not in a program that has more privileges than its caller (secure_getenv(3)): let systemd give it
    /// its privileges (AmbientCapabilities=) instead of its file.
    std::vector<net::endpoint> listen{};

    /// One socket for each worker (SO_REUSEPORT) instead of one for all. The system then distributes connections by
    /// their addresses: evenly, but also to workers that are busy. Connections that were distributed to a worker that
    /// died wait for its replacement. Has no effect on sockets from systemd.
    bool reuse_port = false;

    /// Time limit from the start of a worker to its call of `worker::ready`. A worker that takes longer is killed and
    /// counts as crashed.
    std::chrono::milliseconds start_limit{60'000};

    /// Time limit from SIGTERM to the end of the worker. A worker that takes longer is killed (SIGKILL).
    std::chrono::milliseconds grace{30'000};

    restart_policy restart{};

    /// Options of each worker's scheduler.
    run_options run{};

    /// Called by the parent once a second, in its only thread, with the statistics of the workers and their sum. It
    /// should return quickly: the parent does not supervise the workers during the call. If it throws, `prefork` throws
    /// that exception, and the workers stop as if the parent had died. Empty: the workers report no statistics.
    std::function<void(std::span<const worker_stats>, const scheduler_stats& all)> on_stats{};
};

}  // namespace coir
