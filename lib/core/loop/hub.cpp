// What a scheduler does on its thread's own stack, when no fiber runs.

#include <coir/detail/core/spawn.hpp>
#include <coir/error.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "core/task/local_values.hpp"
#include "core/task/task_dump.hpp"

#include <algorithm>
#include <sstream>

namespace coir::detail {

namespace {

constexpr std::int64_t round_max = 1'000'000;   // that the resumes between two looks may take, in ns
constexpr std::int64_t period = 1'000'000'000;  // of the stack pool, and of complaints while draining
constexpr std::size_t trim_batch = 256;         // stacks returned between two looks
// What one end of a connection in this process has sent is at the other by then, even if the kernel was interrupted.
constexpr std::int64_t settling_time = 1'000'000;

std::int64_t now_ns() noexcept { return clock::now().time_since_epoch().count(); }

}  // namespace

void scheduler::stop_all() {
    draining_ = true;
    draining_since_ = now_ns();
    if (gate_ != nullptr) gate_->close();
    // A callback may end nobody, but start fibers: they are born stopped, behind those asked here.
    alive_.for_each([this](task& each) { request_stop(each); });
}

void scheduler::run(task& main) {
    struct ending : joiner {
        scheduler* here;
    } main_ends;
    main_ends.here = this;
    main_ends.done = [](joiner& self, task& ended) noexcept {
        static_cast<ending&>(self).here->stop_all();
        destroy_local_values(ended.locals);  // stop callbacks have run in it, and may have touched some anew
    };
    main.joined_by = &main_ends;
    round_began_ = period_began_ = now_ns();
    do {
        while (!alive_.empty()) {
            run_ready();
            poll();
        }
        inbox_.deliver();  // the gate has let it in, and nobody waited for it
    } while (!alive_.empty());
    if (!deadlock_.empty()) throw deadlock{deadlock_};
}

void scheduler::poll() noexcept {
    const std::int64_t before = now_ns();
    adapt_quota(before);
    fire_timers(before);
    inbox_.deliver();
    if (!ready_.empty()) {
        // Nobody waits for a descriptor: there is nothing to ask the kernel, and fibers that only yield cost no call.
        if (reactor_.has_waiters()) reactor_.poll(0);
        round_began_ = before;
        return;
    }
    if (alive_.empty()) return;
    give_up_or_complain(before);
    if (!ready_.empty() || jump()) return;

    const bool trimming = trim_stacks(before);
    std::int64_t wait = timers_.empty() ? -1 : std::max<std::int64_t>(0, timers_.next_look() - before);
    if (draining_ || stacks_.has_surplus()) wait = wait < 0 ? period : std::min(wait, period);
    if (trimming) wait = 0;
    sleep(wait);
    round_began_ = now_ns();
    fire_timers(round_began_);
    inbox_.deliver();
}

/// At the pace of the real time, also where the clock is a virtual one: the outside world is waited for.
void scheduler::sleep(std::int64_t wait) noexcept {
    const std::int64_t began = virtual_ ? virtual_clock::real_now() : 0;
    if (inbox_.may_sleep()) reactor_.poll(wait);
    inbox_.awake();
    if (virtual_) virtual_->advance(virtual_clock::real_now() - began);
}

/// In virtual time, when time alone can wake anyone: it is the first timer's now. False where that is not so.
bool scheduler::jump() noexcept {
    if (!virtual_ || timers_.empty() || inbox_.expects() || !inbox_.is_empty()) return false;
    if (reactor_.has_waiters()) {
        if (settings_.clock != clock_mode::virtual_time_past_io) return false;
        const std::int64_t settled = virtual_clock::real_now() + settling_time;
        for (std::int64_t left = settling_time; ready_.empty() && left > 0;) {
            reactor_.poll(left);
            left = settled - virtual_clock::real_now();
        }
        if (!ready_.empty()) return true;
    }
    virtual_->move_to(timers_.next_look());
    round_began_ = virtual_->now();
    fire_timers(round_began_);
    return true;
}

void scheduler::fire_timers(std::int64_t now) noexcept {
    if (order_) [[unlikely]]
        return fire_timers_in_order(now);
    while (timer_node* due = timers_.pop(now)) due->fire(*due);
}

void scheduler::fire_timers_in_order(std::int64_t now) {
    while (timer_node* const first = timers_.pop(now)) {
        std::vector<timer_node*> simultaneous{first};
        while (timer_node* const next = timers_.pop(first->at)) simultaneous.push_back(next);
        order_->shuffle(simultaneous);
        for (timer_node* const due : simultaneous) due->fire(*due);
    }
}

/// Where slices are long, the hub looks after fewer of them: the clock that it reads anyway tells, and a switch reads
/// none.
void scheduler::adapt_quota(std::int64_t now) noexcept {
    const std::int64_t took = now - round_began_;
    longest_round_ = std::max(longest_round_, took);
    if (budget_ > 0 && took < round_max) {
        quota_ = quota_max;
    } else if (took > round_max) {
        quota_ = std::max<int>(1, static_cast<int>((quota_ - budget_) * round_max / took));
    } else {
        quota_ = std::min(quota_max, quota_ * 2);
    }
}

bool scheduler::trim_stacks(std::int64_t now) noexcept {
    if (now - period_began_ >= period) {
        period_began_ = now;
        stacks_.begin_period();
    }
    return stacks_.trim(trim_batch);
}

/// Nothing is ready. When nothing that is known of can ever wake anyone, all are stopped; while draining, those that
/// keep the scheduler waiting are named once a period.
void scheduler::give_up_or_complain(std::int64_t now) {
    // Who has a reference may still post, until the gate is closed; and who had the last one may just have.
    const bool may_be_posted_to =
        !draining_ && gate_ != nullptr && (gate_->is_known() || !inbox_.is_empty());  // in this order
    const bool hopeless = timers_.empty() && !reactor_.has_waiters() && !inbox_.expects() && !may_be_posted_to;
    if (hopeless && !draining_) {
        std::ostringstream what;
        what << "deadlock: nothing can wake the fibers that are left\n";
        dump(what);
        dump_cycles(what, alive_);
        deadlock_ = what.str();
        // Stop callbacks are the user's code, which the hub does not run.
        static constexpr closure_ops stop_all_in_a_fiber{
            [](void* closure) { (*static_cast<scheduler**>(closure))->stop_all(); },
            [](void*) noexcept {},
        };
        start_detached(stop_all_in_a_fiber, this, "deadlock");
    } else if (draining_ && (hopeless || now - draining_since_ >= period)) {
        draining_since_ = now;
        std::ostringstream what;
        what << "the end of run waits for fibers that do not stop\n";
        dump(what);
        log::warning(what.str());
        COIR_CHECK(!hopeless, "fibers wait behind a shield, and nothing can ever wake them");
    }
}

gate& scheduler::gate() {
    if (gate_ == nullptr) {
        const detection_paused growing{running()};
        gate_ = new detail::gate{inbox_};
        if (draining_) gate_->close();
    }
    return *gate_;
}

}  // namespace coir::detail
