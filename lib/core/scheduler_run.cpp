/// @file
/// The life of a scheduler: rounds of fibers, the deadlock check, and the end, which stops and drains all that is left.

#include <coir/detail/core/spawn.hpp>
#include <coir/error.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "core/task/local_values.hpp"
#include "core/task/task_dump.hpp"

#include <algorithm>
#include <new>
#include <ostream>
#include <sstream>
#include <string>

namespace coir::detail {

namespace {

constexpr std::int64_t period = 1'000'000'000;  // ns between trims of the stack pool, and between dumps while draining
constexpr std::size_t trim_batch = 256;         // stacks returned to the system between two polls of an idle thread
constexpr std::size_t trim_batch_busy = 16;     // the same while fibers are ready, each millisecond
constexpr std::int64_t trim_pause = 1'000'000;

/// What `write` writes; if there is no memory for it, `otherwise`, which must be short enough to need none.
template <class F> std::string text_or(const char* otherwise, F write) noexcept {
    try {
        std::ostringstream text;
        write(text);
        return text.str();
    } catch (const std::bad_alloc&) {
        return otherwise;
    }
}

}  // namespace

void scheduler::stop_all() {
    draining_ = true;
    draining_since_ = hub::now();
    if (gate_ != nullptr) gate_->close();
    // A stop callback cannot end a fiber, so the list does not lose elements during the loop. It may spawn fibers:
    // these have a stop requested from the start and are appended to the list.
    alive_.for_each([this](task& each) { request_stop(each); });
}

void scheduler::run(task& main) {
    struct ending : joiner {
        scheduler* here;
    } main_ends;
    main_ends.here = this;
    main_ends.done = [](joiner& self, task& ended) noexcept {
        static_cast<ending&>(self).here->stop_all();
        destroy_local_values(ended.locals);  // stop callbacks ran in this fiber and may have created values again
    };
    main.joined_by = &main_ends;
    period_began_ = hub::now();
    hub_.begin_round(period_began_);
    do {
        while (!alive_.empty()) {
            run_ready();
            poll();
        }
        hub_.inbox().deliver(hub_.quota());  // messages that the gate accepted and that no fiber waited for
    } while (!alive_.empty());
    if (!deadlock_.empty()) throw deadlock{deadlock_};
}

/// Between two rounds of fibers.
void scheduler::poll() noexcept {
    const std::int64_t now = hub_.end_round(std::max(budget_, 0));
    status_.fibers_ran.store(hub_.fibers_ran(), std::memory_order_relaxed);
    if (!ready_.empty()) {
        if (now - trimmed_at_ >= trim_pause) {
            trimmed_at_ = now;
            trim_stacks(now, trim_batch_busy);
        }
        hub_.begin_round(now);
        return;
    }
    if (alive_.empty()) return;
    handle_stall(now);
    if (!ready_.empty() || hub_.skip_to_first_timer()) return;

    const bool trimming = trim_stacks(now, trim_batch);
    std::int64_t wait = hub_.until_next_timer(now);
    if (draining_ || stacks_.has_surplus()) wait = wait < 0 ? period : std::min(wait, period);
    hub_.sleep(trimming ? 0 : wait);
}

bool scheduler::trim_stacks(std::int64_t now, std::size_t at_most) noexcept {
    if (now - period_began_ >= period) {
        period_began_ = now;
        stacks_.begin_period();
    }
    return stacks_.trim(at_most);
}

/// Called if no task is ready. If nothing can ever wake one of the tasks, requests all of them to stop. While draining,
/// logs a dump of the remaining fibers once a period.
void scheduler::handle_stall(std::int64_t now) noexcept {
    // A thread with a reference to the gate may post until the gate is closed. A thread that has just removed the last
    // reference may have posted before that, so the inbox is checked after the references.
    const bool may_be_posted_to = !draining_ && gate_ != nullptr && (gate_->is_known() || !hub_.inbox().is_empty());
    const bool hopeless = !hub_.can_wake() && !may_be_posted_to;
    if (hopeless && !draining_) {
        deadlock_ = text_or("deadlock", [this](std::ostream& what) {
            what << "deadlock: nothing can wake the fibers that are left\n";
            dump(what, {.stacks = true});
            dump_cycles(what, alive_);
        });
        // Stop callbacks are user code, which must not run in the hub.
        static constexpr closure_ops stop_all_in_a_fiber{
            [](void* closure) { (*static_cast<scheduler**>(closure))->stop_all(); },
            [](void*) noexcept {},
        };
        try {
            start_detached(stop_all_in_a_fiber, this, "deadlock");
        } catch (const std::bad_alloc&) {
            stop_all();  // better than no end
        }
    } else if (draining_ && (hopeless || now - draining_since_ >= period)) {
        draining_since_ = now;
        log::warning(text_or("run: waiting", [this](std::ostream& what) {
            what << "run: waiting for fibers that have not stopped\n";
            dump(what, {.stacks = true});
        }));
        COIR_CHECK(!hopeless, "run: nothing can wake the remaining fibers, and shields hold back their stop");
    }
}

gate& scheduler::gate() {
    if (gate_ == nullptr) {
        const detection_paused growing{running()};
        gate_ = new detail::gate{hub_.inbox()};
        if (draining_) gate_->close();
    }
    return *gate_;
}

}  // namespace coir::detail
