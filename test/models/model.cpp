#include "models/model.hpp"

#include <algorithm>
#include <cstddef>

namespace coir::models {

int fiber_queue::pop_first() {
    const int first = fibers_[0];
    erase(first);
    return first;
}

void fiber_queue::erase(int fiber) {
    const auto last = fibers_.begin() + static_cast<std::ptrdiff_t>(count_);
    count_ = static_cast<std::size_t>(std::remove(fibers_.begin(), last, fiber) - fibers_.begin());
}

void model::begin(int fiber, const operation& what) {
    party& me = at(fiber);
    me.doing = &what;
    me.delayed = what.delay != 0;
    if (me.delayed) {
        me.until = now_ + what.delay;
        me.shielded = me.outer_expired = me.inner_expired = false;
        wait(fiber);
    } else {
        begin_now(fiber);
    }
    settle();
}

void model::begin_now(int fiber) {
    party& me = at(fiber);
    const operation& what = *me.doing;
    me.shielded = what.shielded;
    me.until = what.limit == unlimited ? unlimited : now_ + what.limit;
    me.stage = 0;
    begin_scopes(fiber);
    if (what.kind == request_stop) {
        stop_from_inside(what.argument);
        end(fiber, outcome::done);
    } else if (what.kind == leave) {
        give_back(fiber);
        me.left = true;
        end(fiber, outcome::done);
    } else {
        perform(fiber);
    }
}

/// A fiber that has waited, or was to wait.
void model::run(int fiber) {
    party& me = at(fiber);
    if (!me.delayed) return resume(fiber);
    me.delayed = false;
    if (me.why == reason::time_is_up)
        begin_now(fiber);
    else
        end(fiber, outcome_of(fiber));
}

void model::begin_scopes(int fiber) {
    party& me = at(fiber);
    me.outer_expired = me.doing->outer == 0;
    me.inner_expired = me.doing->inner == 0;
    if (me.doing->outer > 0) timers_.push_back({now_ + me.doing->outer, fiber, timer_kind::outer});
    if (me.doing->inner > 0) timers_.push_back({now_ + me.doing->inner, fiber, timer_kind::inner});
}

void model::pass_tick() {
    ++now_;
    settle();
    ++now_;
}

void model::stop(int fiber) {
    stop_from_inside(fiber);
    settle();
}

void model::stop_from_inside(int fiber) {
    party& stopped = at(fiber);
    if (stopped.stop_requested || stopped.left) return;
    stopped.stop_requested = true;
    on_stop(fiber);
    interrupt(fiber);
}

void model::interrupt(int fiber) {
    if (!at(fiber).waits) return;
    if (const auto due = due_interruption(fiber)) run_on(fiber, *due);
}

std::optional<reason> model::due_interruption(int fiber) const {
    const party& me = at(fiber);
    if (me.shielded) return {};
    if (me.stop_requested) return reason::stopped;
    if (me.outer_expired) return reason::outer_expired;
    if (me.inner_expired) return reason::inner_expired;
    return {};
}

/// Ready fibers run. Only when there is none, the timers that are due fire.
void model::settle() {
    do {
        while (!ready_.empty()) run(ready_.pop_first());
    } while (fire_due());
}

bool model::fire_due() {
    const auto is_due = [this](const timer& each) { return each.at <= now_; };
    bool fired = false;
    for (;;) {
        const auto first = std::min_element(timers_.begin(), timers_.end(),
                                            [](const timer& a, const timer& b) { return a.at < b.at; });
        if (first == timers_.end() || !is_due(*first)) return fired;
        const timer due = *first;
        timers_.erase(first);
        fire(due);
        fired = true;
    }
}

void model::fire(const timer& due) {
    party& whose = at(due.fiber);
    switch (due.kind) {
    case timer_kind::limit: return run_on(due.fiber, reason::time_is_up);
    case timer_kind::outer: whose.outer_expired = true; break;
    case timer_kind::inner: whose.inner_expired = true; break;
    }
    interrupt(due.fiber);
}

void model::resume(int fiber) { end(fiber, outcome_of(fiber)); }

outcome model::outcome_of(int fiber) const {
    switch (at(fiber).why) {
    case reason::woken: return at(fiber).result;
    case reason::time_is_up: return outcome::timed_out;
    case reason::stopped: return outcome::cancelled;
    case reason::outer_expired: return outcome::outer_expired;
    case reason::inner_expired: break;
    }
    return outcome::inner_expired;
}

void model::end(int fiber, outcome how) {
    at(fiber).doing = nullptr;
    std::erase_if(timers_, [fiber](const timer& each) { return each.fiber == fiber; });
    ended_.add(fiber, how);
}

void model::wait_in(fiber_queue& queue, int fiber) {
    if (wait(fiber)) queue.push(fiber);
}

bool model::wait(int fiber) {
    if (const auto due = due_interruption(fiber)) {
        run_on(fiber, *due);
        return false;
    }
    at(fiber).waits = true;
    // A limit that has passed ends now.
    if (at(fiber).until != unlimited) timers_.push_back({std::max(at(fiber).until, now_), fiber, timer_kind::limit});
    return true;
}

void model::run_on(int fiber, reason why, outcome result) {
    withdraw(fiber);
    std::erase_if(timers_,
                  [fiber](const timer& each) { return each.fiber == fiber && each.kind == timer_kind::limit; });
    at(fiber).waits = false;
    at(fiber).why = why;
    at(fiber).result = result;
    ready_.push(fiber);
}

}  // namespace coir::models
