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

/// "For ever" is a duration that a clock cannot be put forward by.
worker_process::clock::time_point from_now(std::chrono::milliseconds length) {
    constexpr std::chrono::milliseconds longest = 24h * 365;
    return worker_process::clock::now() + std::min(length, longest);
}

}  // namespace

supervisor::supervisor(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options)
    : main_{main}, options_{options}, sockets_{options, workers},
      slots_(workers, slot{restart_delay{options.restart}}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error{errno, std::system_category(), "pipe for prefork"};
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
        enforce_limits();
        start_due();
        tell_stats();
    }
    return gave_up_ ? 1 : 0;
}

// ---- what comes from outside -------------------------------------------------------------------------------------

/// Until one of those that are asked after the wait has news. Which one is not noted: they are few.
void supervisor::wait() {
    clock::time_point until = next_stats_;
    std::vector<pollfd> descriptors{{signals_.fd(), POLLIN, 0}};
    for (const worker_process& each : processes_) {
        descriptors.push_back({each.exit_descriptor(), POLLIN, 0});
        descriptors.push_back({each.ready_descriptor(), POLLIN, 0});  // poll(2): a negative one is passed over
        until = std::min(until, each.limit());
    }
    for (const slot& each : slots_) until = std::min(until, each.next_start);
    const auto left = std::max(std::chrono::nanoseconds{0}, std::chrono::nanoseconds{until - clock::now()});
    const timespec length{static_cast<time_t>(left / 1s), static_cast<long>((left % 1s).count())};
    if (::ppoll(descriptors.data(), descriptors.size(), until == clock::time_point::max() ? nullptr : &length,
                nullptr) < 0 &&
        errno != EINTR) {
        throw std::system_error{errno, std::system_category(), "poll for prefork"};
    }
}

void supervisor::handle_signals() {
    while (const int signal = signals_.take()) {
        if (signal == SIGHUP) {
            begin_roll();
        } else if (!ending_) {
            log::info(std::string{"prefork: ends by "} + (signal == SIGINT ? "SIGINT" : "SIGTERM"));
            end_all();
        } else {
            log::warning("prefork: told to end once more, and kills its workers");
            for (worker_process& each : processes_) each.kill();
        }
    }
}

void supervisor::collect_ready() {
    for (worker_process& each : processes_) {
        if (each.becomes_ready()) is_ready(each);
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
        has_ended(ended, *how);
    }
}

void supervisor::enforce_limits() {
    for (worker_process& each : processes_) {
        if (each.limit() > clock::now()) continue;
        log::warning(each.name() +
                     (each.as == role::retired ? " has not drained within " + in_words(options_.grace)
                                               : " is not ready within " + in_words(options_.start_limit)) +
                     ", and is killed");
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

void supervisor::tell_stats() {
    if (next_stats_ > clock::now()) return;
    next_stats_ = clock::now() + 1s;
    std::vector<worker_stats> told;
    scheduler_stats all;
    for (const worker_process& each : processes_) {
        const auto stats = each.stats();
        if (!stats) continue;
        told.push_back({each.index(), each.id(), *stats});
        all += *stats;
    }
    options_.on_stats(told, all);
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
    const std::string what = "worker " + std::to_string(index) + " cannot be started: " + refused.what();
    if (as == role::current) return is_lost(index, what, 0ms);
    log::warning(what + "; the rolling restart ends, and the old workers stay");
    end_roll();
}

void supervisor::fork(worker_process& into) {
    std::fflush(nullptr);  // or the child writes it again
    std::cout.flush();
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error{errno, std::system_category(), "fork"};
    if (child == 0) become(into);
    try {
        into.has_begun(child, from_now(options_.start_limit));
    } catch (...) {
        into.kill();
        while (!into.try_reap()) ::usleep(1000);
        throw;
    }
}

/// In the child: keeps what is its own, and closes the rest.
void supervisor::become(worker_process& own) noexcept {
    worker_start start{own.index(),          sockets_.take(own.index()), own.take_ready_end(),
                       std::move(lifeline_), own.take_stats(),           signals_.before()};
    lifeline_end_ = {};
    signals_.close();
    processes_.clear();
    run_worker(std::move(start), main_, options_.run);
}

void supervisor::is_ready(worker_process& ready) {
    log::info(ready.name() + " is ready");
    if (ready.as == role::successor) {
        if (worker_process* const old = current(ready.index())) old->retire(from_now(options_.grace));
        ready.as = role::current;
        roll_on(ready.index() + 1);
    }
    if (all_were_ready_ || !all_are_ready()) return;
    all_were_ready_ = true;
    notify_service_manager("READY=1");
}

void supervisor::has_ended(const worker_process& ended, const std::string& how) {
    const std::string what = ended.name() + ' ' + how + " after " + in_words(ended.age());
    if (ending_ || ended.as == role::retired) return log::info(what + "; it had been told to drain");
    if (ended.as == role::successor) {
        log::warning(what + "; the rolling restart ends, and the old workers stay");
        end_roll();
        if (current(ended.index()) != nullptr) return;
    } else if (rolling_ == ended.index()) {
        return log::warning(what + "; its successor is on the way");
    }
    is_lost(ended.index(), what, ended.age());
}

void supervisor::is_lost(unsigned index, const std::string& what, std::chrono::milliseconds lived) {
    const auto delay = slots_[index].delay.after(lived);
    if (!delay) {
        log::error(what + "; " + std::to_string(options_.restart.attempts) +
                   " in a row have not lasted, and prefork gives up");
        gave_up_ = true;
        return end_all();
    }
    log::warning(what + "; the next one starts " + (*delay == 0ms ? "at once" : "in " + in_words(*delay)));
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

// ---- all of them -------------------------------------------------------------------------------------------------

void supervisor::begin_roll() {
    if (ending_) return;
    // One that begins halfway would leave workers that know half of what is new.
    if (rolling_) {
        rolls_again_ = true;
        return;
    }
    log::info("prefork: a rolling restart begins, by SIGHUP");
    if (all_were_ready_) notify_service_manager("RELOADING=1\n" + monotonic_time());
    roll_on(0);
}

void supervisor::roll_on(unsigned index) {
    // Where none is, one that knows what is new begins before long.
    while (index < slots_.size() && current(index) == nullptr) ++index;
    if (index < slots_.size()) {
        rolling_ = index;
        return start(index, role::successor);
    }
    log::info("prefork: the rolling restart has come to its end");
    const bool again = rolls_again_;
    end_roll();
    if (again) begin_roll();
}

void supervisor::end_roll() {
    rolling_.reset();
    rolls_again_ = false;
    if (all_were_ready_) notify_service_manager("READY=1");
}

void supervisor::end_all() {
    ending_ = true;
    rolling_.reset();
    notify_service_manager("STOPPING=1");
    sockets_.close();  // whoever comes now is to be refused, and go elsewhere
    for (slot& each : slots_) each.next_start = clock::time_point::max();
    for (worker_process& each : processes_) {
        if (each.as != role::retired) each.retire(from_now(options_.grace));
    }
}

}  // namespace coir::detail
