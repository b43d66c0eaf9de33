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

/// Those that a terminal sends to all processes are the parent's affair, also where a worker starts programs.
void leave_to_parent(int signal) noexcept {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(signal, &ignore, nullptr);
}

/// A signal that came since the fork is delivered here.
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

void tell_stats(shared_stats& board) {
    for (;;) {
        board.write(stats());
        this_fiber::sleep_for(std::chrono::seconds{1});
    }
}

/// In the first fiber.
void work(worker_start& own, signal_set& terminate, const std::function<void(worker&)>& main, bool& is_orphan) {
    scheduler& here = *scheduler::current();
    task& first = here.running();
    worker self{own.index, listeners_on(own.listening), [&own] {
                    // Where nobody reads it any more the parent is gone, and somebody else looks after that.
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
        log::error(worker_name(own) + " stops: its parent is gone");
        here.request_stop(first);
    });
    const auto tells =
        own.stats != nullptr ? spawn({.name = "stats"}, tell_stats, std::ref(*own.stats)) : fiber<void>{};
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
        // An orphan is stopped, and that it was is no news.
        if (!is_orphan) log::error(worker_name(start) + ": its main has thrown: " + failure.what());
    } catch (...) {
        log::error(worker_name(start) + ": its main has thrown what is no std::exception");
    }
    std::exit(code);
}

}  // namespace coir::detail
