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

/// When a worker is replaced that has ended without having been told to: one that has lived for long at once, one that
/// has not after a while, which doubles each time. Counted for each worker's place alone.
struct restart_policy {
    std::chrono::milliseconds first{100};
    std::chrono::milliseconds longest{10'000};
    std::chrono::milliseconds settled{
        10'000};             // having lived so long, it is replaced at once, and counting begins anew
    unsigned attempts = 10;  // that ended sooner, one after the other: `prefork` gives up
};

/// What a worker has told of its scheduler, a second ago at most.
struct worker_stats {
    unsigned index;
    pid_t process;
    scheduler_stats scheduler;
};

/// How `prefork` runs its workers.
struct prefork_options {
    /// Bound by the parent before any worker begins, with SO_REUSEADDR; IPv4 or IPv6. Sockets that systemd hands over
    /// (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS) take the place of all of these.
    std::vector<net::endpoint> listen{};

    /// A socket for each worker (SO_REUSEPORT) instead of one for all: the system deals out connections by their
    /// addresses, evenly and whether the worker has time or not. Those dealt to a worker that has died wait for the
    /// next one in its place. Not for sockets of systemd.
    bool reuse_port = false;

    /// From its beginning to `worker::ready`; one that takes longer is killed, and counts as crashed.
    std::chrono::milliseconds start_limit{60'000};

    /// From SIGTERM to SIGKILL.
    std::chrono::milliseconds grace{30'000};

    restart_policy restart{};

    /// Of each worker's scheduler.
    run_options run{};

    /// Called by the parent once a second, in its one thread, with what the workers tell and the sum of it. Whatever it
    /// does, it should not take long: meanwhile nobody looks after the workers. What it throws comes out of `prefork`,
    /// and the workers stop, as when the parent has died. Empty: the workers tell nothing.
    std::function<void(std::span<const worker_stats>, const scheduler_stats& all)> on_stats{};
};

}  // namespace coir
