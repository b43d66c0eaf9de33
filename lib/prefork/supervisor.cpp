#include "prefork/supervisor.hpp"

#include "base/log.hpp"
#include "prefork/service_notice.hpp"
#include "prefork/worker_main.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <signal.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

using namespace std::chrono_literals;

namespace {

/// Limits the duration to a year: adding `std::chrono::milliseconds::max()` to the current time would overflow.
worker_process::clock::time_point from_now(std::chrono::milliseconds length) {
    constexpr std::chrono::milliseconds longest = 24h * 365;
    return worker_process::clock::now() + std::clamp(length, 0ms, longest);
}

parent_signals::with signals_for(const adopted_children& adopted) noexcept {
    return adopted.are_expected() ? parent_signals::with::ends_of_children : parent_signals::with::stop_signals;
}

constexpr const char* restart_aborted = "; rolling restart aborted: the old workers keep running";

}  // namespace

supervisor::supervisor(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options)
    : main_{main}, options_{options}, sockets_{options, workers}, signals_{signals_for(adopted_)},
      slots_(workers, slot{restart_delay{options.restart}}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw std::system_error{errno, std::system_category(), "prefork: cannot create a pipe"};
    lifeline_ = unique_fd{ends[0]};
    lifeline_end_ = unique_fd{ends[1]};
    if (options.on_stats) next_stats_ = clock::now() + 1s;
    log::info("prefork: " + std::to_string(workers) + " workers, listening on " + sockets_.to_string());
}

int supervisor::run() {
    for (unsigned i = 0; i < slots_.size() && !ending_; ++i) start(i, role::current);
    while (!ending_ || !processes_.empty()) {
        wait();
        handle_signals();
        collect_ready();
        reap_exited();
        reap_adopted();
        enforce_limits();
        start_due();
        report_stats();
    }
    return gave_up_ ? 1 : 0;
}

// ---- events ------------------------------------------------------------------------------------------------------

/// Waits for a signal, a ready or ended worker, or the next time limit. Does not record which: the functions that `run`
/// calls next check all sources, which are few.
void supervisor::wait() {
    clock::time_point until = next_stats_;
    std::vector<pollfd> descriptors{{signals_.fd(), POLLIN, 0}};
    for (const worker_process& each : processes_) {
        descriptors.push_back({each.exit_descriptor(), POLLIN, 0});
        descriptors.push_back({each.ready_descriptor(), POLLIN, 0});  // poll(2) ignores a negative descriptor
        until = std::min(until, each.limit());
    }
    for (const slot& each : slots_) until = std::min(until, each.next_start);
    const auto left = std::max(std::chrono::nanoseconds{0}, std::chrono::nanoseconds{until - clock::now()});
    const timespec length{static_cast<time_t>(left / 1s), static_cast<long>((left % 1s).count())};
    if (::ppoll(descriptors.data(), descriptors.size(), until == clock::time_point::max() ? nullptr : &length,
                nullptr) < 0 &&
        errno != EINTR) {
        throw std::system_error{errno, std::system_category(), "prefork: ppoll failed"};
    }
}

void supervisor::handle_signals() {
    while (const int signal = signals_.take()) {
        if (signal == SIGCHLD) continue;  // it has only to wake `wait`
        if (signal == SIGHUP) {
            begin_rolling_restart();
        } else if (!ending_) {
            log::info(std::string{"prefork: "} + (signal == SIGINT ? "SIGINT" : "SIGTERM") +
                      " received: draining the workers");
            shut_down();
        } else {
            log::warning("prefork: second stop signal: killing the workers");
            for (worker_process& each : processes_) each.kill();
        }
    }
}

void supervisor::collect_ready() {
    for (worker_process& each : processes_) {
        if (each.take_ready_notice()) handle_ready(each);
    }
}

void supervisor::reap_exited() {
    for (auto at = processes_.begin(); at != processes_.end();) {
        const auto how = at->try_reap();
        if (!how) {
            ++at;
            continue;
        }
        const worker_process ended = std::move(*at);
        at = processes_.erase(at);
        handle_ended(ended, *how);
    }
}

void supervisor::reap_adopted() {
    adopted_.reap_exited([this](pid_t child) {
        return std::ranges::any_of(processes_, [child](const worker_process& each) { return each.id() == child; });
    });
}

void supervisor::enforce_limits() {
    for (worker_process& each : processes_) {
        if (each.limit() > clock::now()) continue;
        log::warning(each.name() + ": killed: " +
                     (each.as == role::retired
                          ? "not drained within " + in_words(options_.grace) + " (prefork_options::grace)"
                          : "not ready within " + in_words(options_.start_limit) + " (prefork_options::start_limit)"));
        each.kill();
    }
}

void supervisor::start_due() {
    for (unsigned i = 0; i < slots_.size(); ++i) {
        if (ending_ || slots_[i].next_start > clock::now()) continue;
        slots_[i].next_start = clock::time_point::max();
        start(i, role::current);
    }
}

void supervisor::report_stats() {
    if (next_stats_ > clock::now()) return;
    next_stats_ = clock::now() + 1s;
    std::vector<worker_stats> each_worker;
    scheduler_stats all;
    for (const worker_process& each : processes_) {
        const auto stats = each.stats();
        if (!stats) continue;
        each_worker.push_back({each.index(), each.id(), *stats});
        all += *stats;
    }
    adopted_.call([&] { options_.on_stats(each_worker, all); });
}

// ---- workers -----------------------------------------------------------------------------------------------------

void supervisor::start(unsigned index, role as) try {
    worker_process& made = processes_.emplace_back(index, as, static_cast<bool>(options_.on_stats));
    try {
        fork(made);
    } catch (...) {
        processes_.pop_back();
        throw;
    }
} catch (const std::system_error& refused) {
    const std::string what = "worker " + std::to_string(index) + ": cannot start: " + refused.what();
    if (as == role::current) return replace_or_give_up(index, what, 0ms);
    log::warning(what + restart_aborted);
    end_rolling_restart();
}

void supervisor::fork(worker_process& into) {
    std::fflush(nullptr);  // otherwise the child would write the buffered output a second time
    std::cout.flush();
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error{errno, std::system_category(), "fork"};
    if (child == 0) run_child(into);
    try {
        into.set_started(child, from_now(options_.start_limit));
    } catch (...) {
        into.kill();
        while (!into.try_reap()) ::usleep(1000);
        throw;
    }
}

/// In the child: keeps the descriptors of this worker, closes all others, and runs the worker.
void supervisor::run_child(worker_process& own) noexcept {
    worker_start start{own.index(),          sockets_.take(own.index()), own.take_ready_end(),
                       std::move(lifeline_), own.take_stats(),           signals_.before()};
    lifeline_end_ = {};
    signals_.close();
    processes_.clear();
    run_worker(std::move(start), main_, options_.run);
}

void supervisor::handle_ready(worker_process& ready) {
    log::info(ready.name() + " is ready");
    if (ready.as == role::successor) {
        if (worker_process* const old = current(ready.index())) old->retire(from_now(options_.grace));
        ready.as = role::current;
        restart_from(ready.index() + 1);
    }
    if (all_were_ready_ || !all_are_ready()) return;
    all_were_ready_ = true;
    notify_service_manager("READY=1");
}

void supervisor::handle_ended(const worker_process& ended, const std::string& how) {
    const std::string what = ended.name() + ' ' + how + " after " + in_words(ended.age());
    if (ending_ || ended.as == role::retired) return log::info(what + "; it was asked to drain");
    if (ended.as == role::successor) {
        log::warning(what + restart_aborted);
        end_rolling_restart();
        if (current(ended.index()) != nullptr) return;
    } else if (restarting_ == ended.index()) {
        return log::warning(what + "; its successor is already starting");
    }
    replace_or_give_up(ended.index(), what, ended.age());
}

void supervisor::replace_or_give_up(unsigned index, const std::string& what, std::chrono::milliseconds lived) {
    const auto delay = slots_[index].delay.after(lived);
    if (!delay) {
        log::error(what + "; giving up and shutting down: worker " + std::to_string(index) + " failed " +
                   std::to_string(options_.restart.attempts) + " times in a row within " +
                   in_words(options_.restart.settled) +
                   " of its start (restart_policy::attempts, restart_policy::settled)");
        gave_up_ = true;
        return shut_down();
    }
    log::warning(what + "; a replacement starts " + (*delay == 0ms ? "immediately" : "in " + in_words(*delay)));
    slots_[index].next_start = from_now(*delay);
}

bool supervisor::all_are_ready() noexcept {
    for (unsigned i = 0; i < slots_.size(); ++i) {
        const worker_process* const there = current(i);
        if (there == nullptr || !there->is_ready()) return false;
    }
    return true;
}

worker_process* supervisor::current(unsigned index) noexcept {
    const auto found = std::find_if(processes_.begin(), processes_.end(), [&](const worker_process& each) {
        return each.index() == index && each.as == role::current;
    });
    return found == processes_.end() ? nullptr : &*found;
}

// ---- rolling restart and shutdown --------------------------------------------------------------------------------

void supervisor::begin_rolling_restart() {
    if (ending_) return;
    // The workers that the restart in progress has replaced already may not have read the newest configuration. So this
    // request leads to another complete restart afterwards.
    if (restarting_) {
        restart_requested_ = true;
        return;
    }
    log::info("prefork: SIGHUP received: rolling restart begins");
    if (all_were_ready_) notify_service_manager("RELOADING=1\n" + monotonic_time());
    restart_from(0);
}

void supervisor::restart_from(unsigned index) {
    // Skips slots without a worker: the replacement that starts there soon reads the new configuration anyway.
    while (index < slots_.size() && current(index) == nullptr) ++index;
    if (index < slots_.size()) {
        restarting_ = index;
        return start(index, role::successor);
    }
    log::info("prefork: rolling restart complete");
    const bool again = restart_requested_;
    end_rolling_restart();
    if (again) begin_rolling_restart();
}

void supervisor::end_rolling_restart() {
    restarting_.reset();
    restart_requested_ = false;
    if (all_were_ready_) notify_service_manager("READY=1");
}

void supervisor::shut_down() {
    ending_ = true;
    restarting_.reset();
    notify_service_manager("STOPPING=1");
    sockets_.close();  // new clients are refused at once and can go to another server
    for (slot& each : slots_) each.next_start = clock::time_point::max();
    for (worker_process& each : processes_) {
        if (each.as != role::retired) each.retire(from_now(options_.grace));
    }
}

}  // namespace coir::detail
