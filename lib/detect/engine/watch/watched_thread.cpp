#include "detect/engine/watch/watched_thread.hpp"

#include "core/task/task.hpp"
#include "detect/calls/known_calls.hpp"
#include "detect/calls/named_functions.hpp"

#include <algorithm>
#include <cstdlib>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

using namespace std::chrono_literals;

constexpr int inspections_per_threshold = 4;
constexpr int reminder_after = 20;    // multiples of the threshold
constexpr auto sample_patience = 1s;  // the signal is late if the thread blocks it or the machine is busy
constexpr auto changes_told_each = 1min;
constexpr int sleeps_in_a_row = 4;  // observations after which several short sleeps count as one long sleep

/// Reads the label of the running task from another thread. The task may end meanwhile, but its memory stays mapped.
/// Returns false if `scheduler_status.slices` shows that another task has run since; then `into` is not valid. Hidden
/// from the thread sanitizer.
__attribute__((no_sanitize("thread"))) bool peek(const scheduler_status& thread, std::uint64_t slice, fiber_label& into,
                                                 bool& permitted) noexcept {
    const auto still = [&] { return thread.slices.load(std::memory_order_acquire) == slice; };
    const task* const running = thread.running.load(std::memory_order_relaxed);
    into.id = running->id;
    into.spawn_site = running->spawn_site;
    const volatile char* const name = running->name;
    const unsigned bytes = running->name_bytes;
    permitted = running->permits > 0;
    // Only now is it certain that `name` belongs to that task. It points into the slab, which stays mapped.
    if (!still()) return false;
    into.name_bytes = std::min(bytes, fiber_label::name_max);
    for (unsigned i = 0; i < into.name_bytes; ++i) into.bytes[i] = name[i];
    return still();
}

/// A hook knows only the return address of the call. Adds what `whole`, the stack of the thread in the call, has above
/// it.
void add_callers(const call_stack& whole, call_stack& site) noexcept {
    if (site.depth != 1) return;
    const auto end = whole.frames.begin() + whole.depth;
    const auto found = std::find(whole.frames.begin(), end, site.frames[0]);
    if (found == end) return;
    std::copy(found, end, site.frames.begin());
    site.depth = static_cast<int>(end - found);
}

}  // namespace

watched_thread::watched_thread(scheduler_status& thread, settings config, wakeup_semaphore& watchdog,
                               report_queue& reports)
    : record_{config.records_folder}, shared_{thread, std::move(config), watchdog, record_.memory()}, reports_{reports},
      reporter_{shared_.config(), reports}, probe_{thread.tid}, last_busy_{std::chrono::steady_clock::now()},
      changes_told_{last_busy_} {}

std::chrono::nanoseconds watched_thread::interval() const noexcept {
    const std::chrono::nanoseconds threshold = shared_.config().options.stall_threshold;
    return std::clamp<std::chrono::nanoseconds>(threshold / inspections_per_threshold, 1ms, 1s);
}

void watched_thread::inspect(time_point now, int stack_signal) {
    log_new_events();
    scheduler_status& thread = shared_.thread();
    const std::uint64_t number = thread.slices.load(std::memory_order_acquire);
    const bool busy = shared_.runs_fiber(number);
    if (busy || number != slice_.number) last_busy_ = now;
    if (busy && in_slice_ && number == slice_.number) {
        examine(now, stack_signal);
    } else {
        end_slice();
        begin_slice(number, now, busy);
    }
    const std::chrono::nanoseconds fibers_ran = shared_.note_fibers_ran();
    if (now - changes_told_ < changes_told_each) return;
    changes_told_ = now;
    reporter_.tell_changes(shared_.events(), fibers_ran);
}

void watched_thread::begin_slice(std::uint64_t number, time_point now, bool busy) {
    slice_ = {};
    slice_.number = number;
    slice_.began = now;
    in_slice_ = busy;
    if (busy) slice_.cpu_at_begin = slice_.cpu_at_last = probe_.cpu_time();
}

void watched_thread::end_slice() {
    if (!in_slice_) return;
    in_slice_ = false;
    // The slice has ended before the requested stack arrived.
    if (slice_.sample_asked && !slice_.reported) report_hog();
    if (slice_.reported) {
        const std::chrono::nanoseconds call = shared_.reported_call(slice_.number);
        const std::chrono::nanoseconds actual = call > call.zero() ? call : slice_.lasted;
        shared_.events().lengthen(slice_.index, slice_.recorded, actual);
        if (slice_.recorded > slice_.recorded.zero() && actual > slice_.recorded)
            shared_.count(slice_.category, 0, actual - slice_.recorded);
    }
    shared_.forget_sample();
}

void watched_thread::examine(time_point now, int stack_signal) {
    const std::chrono::nanoseconds threshold = shared_.config().options.stall_threshold;
    slice_.lasted = now - slice_.began;
    if (slice_.lasted < threshold) return;
    if (!slice_.reported) {
        bool permitted = false;
        if (!peek(shared_.thread(), slice_.number, slice_.fiber, permitted)) return;
        if (permitted) {
            // Time under a permit does not count after the permit has ended.
            begin_slice(slice_.number, now, true);
            return;
        }
    }
    switch (probe_.now()) {
    case thread_probe::state::asleep: examine_sleep(now); break;
    case thread_probe::state::running: examine_work(now, stack_signal); break;
    // The thread may be asleep, and a signal would interrupt its call. So no stack is requested.
    case thread_probe::state::unknown: examine_work(now, 0); break;
    }
}

void watched_thread::examine_sleep(time_point now) {
    slice_.seen_running = 0;
    const std::chrono::nanoseconds cpu = probe_.cpu_time();
    const bool same_sleep = slice_.seen_asleep > 0 && cpu == slice_.cpu_at_last;
    slice_.cpu_at_last = cpu;
    ++slice_.seen_asleep;
    if (!same_sleep && slice_.seen_asleep < sleeps_in_a_row) return;

    const bool for_long = now - slice_.began >= reminder_after * shared_.config().options.stall_threshold;
    if (slice_.reported) {
        if (for_long && !std::exchange(slice_.reminded, true) && slice_.index >= 0)
            reporter_.remind(slice_.index, slice_.lasted);
        return;
    }
    // The hook or trap records the call at its end. The watchdog records it only if the call may never end.
    const bool is_observed = shared_.is_observed(slice_.number);
    if (is_observed && !for_long) return;
    blocking_event seen;
    const thread_probe::sleep where = probe_.where_asleep();
    call_stack asleep;
    if (!probe_.capture(where, asleep) || shared_.thread().slices.load(std::memory_order_acquire) != slice_.number) {
        asleep.depth = 0;
    }
    if (shared_.is_observed(slice_.number) != is_observed) return;
    if (shared_.current_call(slice_.number, seen)) {
        add_callers(asleep, seen.stack);
    } else {
        const known_call& call = call_numbered(where.system_call);
        seen.call = call.name.empty() ? "system call" : call.name;
        seen.category = call.category;
        seen.waits_for_itself = where.on_own_mutex;
        seen.stack = asleep;
        find_named_functions();
        name_by_function(seen);
    }
    shared_.mark_call_reported();
    seen.kind = blocking_kind::blocked;
    report(seen);
}

void watched_thread::examine_work(time_point now, int stack_signal) {
    slice_.seen_asleep = 0;
    const std::chrono::nanoseconds cpu = probe_.cpu_time();
    const bool advanced = cpu > slice_.cpu_at_last;
    slice_.cpu_at_last = cpu;
    // No CPU time since the last inspection: the thread is ready, but the machine is busy. Not the fault of the fiber.
    if (slice_.reported || !advanced || cpu - slice_.cpu_at_begin < shared_.config().options.stall_threshold) return;
    if (!shared_.wants(blocking_class::cpu)) return;
    if (!slice_.sample_asked) {
        // A thread that was seen running only once may be about to sleep, and the signal would interrupt that call.
        if (++slice_.seen_running < 2) return;
        slice_.sample_asked = true;
        slice_.asked_at = now;
        if (stack_signal != 0 && !probe_.blocks(stack_signal)) {
            shared_.ask_for_sample(slice_.number);
            ++signals_sent_;
            ::syscall(SYS_tgkill, ::getpid(), shared_.thread().tid, stack_signal);
            return;
        }
    }
    const bool waiting = shared_.sample_state() == monitor::sample::asked && now - slice_.asked_at < sample_patience;
    if (!waiting) report_hog();
}

void watched_thread::report_hog() {
    blocking_event seen;
    seen.kind = blocking_kind::hog;
    seen.category = blocking_class::cpu;
    if (shared_.sample_state() == monitor::sample::taken) seen.stack = shared_.sampled_stack();
    report(seen);
}

void watched_thread::report(blocking_event& seen) {
    slice_.reported = true;
    if (!shared_.wants(seen.category)) return;
    seen.longest = seen.total = slice_.recorded = slice_.lasted;
    seen.goes_on = in_slice_;
    seen.fiber = slice_.fiber;
    slice_.category = seen.category;
    slice_.index = shared_.events().record(seen).index;
    shared_.count(seen.category, 1, slice_.lasted);
    log_new_events();
    if (shared_.config().options.policy == blocking_policy::fail && slice_.index >= 0) {
        shared_.request_failure(seen.fiber.id, slice_.index);
    }
}

void watched_thread::log_new_events() {
    if (logged_ == shared_.events().size()) return;
    record_.note_modules();
    reporter_.look_up(shared_.events(), logged_);
    blocking_event event;
    for (const int size = shared_.events().size(); logged_ < size; ++logged_) {
        shared_.events().copy(logged_, event);
        const reporter::entry& made = reporter_.add(event, shared_.events());
        if (!made.text.empty() && shared_.config().options.policy == blocking_policy::abort) {
            reporter_.finish(shared_.events(), shared_.note_fibers_ran());
            reports_.deliver();  // not by the thread of the run, which may never run again
            std::abort();
        }
        shared_.add_verdict(made.text);
    }
}

void watched_thread::finish() {
    end_slice();
    log_new_events();
    reporter_.finish(shared_.events(), shared_.note_fibers_ran());
    record_.finish();
}

}  // namespace coir::detail
