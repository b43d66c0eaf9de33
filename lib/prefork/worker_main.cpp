#include "prefork/worker_main.hpp"

#include <coir/fiber.hpp>
#include <coir/io/io.hpp>
#include <coir/process/signal_set.hpp>
#include <coir/stats.hpp>
#include <coir/this_fiber.hpp>

#include "base/log.hpp"
#include "base/sys.hpp"
#include "core/scheduler.hpp"
#include "prefork/parent_watch.hpp"

#include <cstdlib>
#include <exception>
#include <pthread.h>
#include <utility>

namespace coir::detail {

namespace {

std::string worker_name(const worker_start& own) { return "worker " + std::to_string(own.index); }

/// A terminal sends SIGINT and SIGHUP to all processes of the group. Only the parent handles them. Programs that the
/// worker starts inherit SIG_IGN.
void leave_to_parent(int signal) noexcept {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(signal, &ignore, nullptr);
}

/// Restores the mask `mask` with SIGTERM unblocked. Delivers a SIGTERM that has been pending since the fork.
void unblock_signals(sigset_t mask) noexcept {
    ::sigdelset(&mask, SIGTERM);
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

std::vector<net::tcp_listener> listeners_on(std::vector<unique_fd>& sockets) {
    std::vector<net::tcp_listener> made;
    for (unique_fd& each : sockets) {
        made.push_back(net::tcp_listener::adopt(each.get()));
        static_cast<void>(each.release());
    }
    return made;
}

void publish_stats(shared_stats& shared) {
    for (;;) {
        shared.write(stats());
        this_fiber::sleep_for(std::chrono::seconds{1});
    }
}

/// Body of the first fiber.
void work(worker_start& own, signal_set& terminate, const std::function<void(worker&)>& main, bool& is_orphan) {
    scheduler& here = *scheduler::current();
    task& first = here.running();
    worker self{own.index, listeners_on(own.listening), [&own] {
                    // An error means that the parent has died. The fiber "end of the parent" handles that.
                    sys::write(own.ready.get(), "r", 1);
                    own.ready = {};
                }};
    const auto drains = spawn({.name = "SIGTERM"}, [&] {
        terminate.wait();
        self.drain();
    });
    const auto stops = spawn({.name = "end of the parent"}, [&] {
        io::wait_readable(own.lifeline.get());
        is_orphan = true;
        log::error(worker_name(own) + ": stopping: the parent process has died");
        here.request_stop(first);
    });
    const auto publishes =
        own.stats != nullptr ? spawn({.name = "stats"}, publish_stats, std::ref(*own.stats)) : fiber<void>{};
    main(self);
}

}  // namespace

void run_worker(worker_start start, const std::function<void(worker&)>& main, const run_options& options) {
    bool is_orphan = false;
    int code = 1;
    try {
        leave_to_parent(SIGINT);
        leave_to_parent(SIGHUP);
        signal_set terminate{SIGTERM};
        watch_parent(start.lifeline.get());
        unblock_signals(start.mask);
        run(options, [&] { work(start, terminate, main, is_orphan); });
        code = 0;
    } catch (const std::exception& failure) {
        // After the death of the parent `main` is stopped on purpose. That is in the log already.
        if (!is_orphan) log::error(worker_name(start) + ": main threw an exception: " + failure.what());
    } catch (...) {
        log::error(worker_name(start) + ": main threw an exception that is not a std::exception");
    }
    std::exit(code);
}

}  // namespace coir::detail
