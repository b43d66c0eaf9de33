#include "core/scheduler.hpp"

#include <coir/detail/base/current_failure.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/error.hpp>

#include "base/printable.hpp"
#include "core/remote/running_schedulers.hpp"
#include "core/task/local_values.hpp"
#include "core/task/task_dump.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <cxxabi.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

void describe_running(int fd) noexcept {
    const scheduler* here = scheduler::current();
    if (here == nullptr) return;
    const task& self = here->running();
    const std::string name = printable({self.name != nullptr ? self.name : "", self.name_bytes});
    ::dprintf(fd, "  in fiber #%llu \"%s\"\n", static_cast<unsigned long long>(self.id), name.c_str());
    if (const std::optional<std::uint64_t> seed = here->seed()) {
        ::dprintf(fd, "  in a run with seed %llu\n", static_cast<unsigned long long>(*seed));
    }
}

stack_range stack_of(const task& fiber) noexcept {
    return {static_cast<std::byte*>(fiber.stack.sp) - fiber.stack.size, fiber.stack.size};
}

std::optional<schedule_order> order_of(const scheduler_settings& settings) {
    if (!settings.seed) return {};
    return schedule_order{*settings.seed};
}

struct deadline_timer : timer_node {
    deadline_timer(std::int64_t when, waiter& whose) noexcept
        : timer_node{when,
                     [](timer_node& self) noexcept {
                         static_cast<deadline_timer&>(self).parked->wake(outcome::timed_out);
                     }},
          parked{&whose} {}

    waiter* parked;
};

}  // namespace

thread_local constinit scheduler* scheduler::current_ = nullptr;

// Signal handlers call this, and it reads only what the same thread has written, so ThreadSanitizer need not check it.
__attribute__((no_sanitize("thread"))) scheduler_status* this_thread_status() noexcept {
    return scheduler::current_ == nullptr ? nullptr : &scheduler::current_->status_;
}

scheduler::scheduler(scheduler_settings settings)
    : exceptions_{reinterpret_cast<exception_state*>(abi::__cxa_get_globals())}, slab_{record_slab::create()},
      hub_task_{ready_, *slab_}, dead_{ready_, *slab_}, settings_{std::move(settings)}, order_{order_of(settings_)},
      hub_{ready_, settings_.clock, order_ ? &*order_ : nullptr}, random_{settings_.seed.value_or(0)},
      serial_{running_schedulers::enrol()} {
    describe_running_fiber.store(describe_running, std::memory_order_relaxed);
    status_.tid = static_cast<pid_t>(::syscall(SYS_gettid));
    status_.running.store(&hub_task_, std::memory_order_relaxed);
    hub_task_.state = task_state::ready;
    dead_.permits = 1;  // while `dead_` is the running task, no blocking is reported
    prepare_for_forks();
    static_cast<void>(failure_without_memory());
    if (parent_scheduler_ == nullptr)
        adopt_thread(hub_task_.flow);
    else
        adopt_stack(hub_task_.flow, stack_of(parent_scheduler_->running()));
    settings_.stack_bytes = stack_pool::round_up(settings_.stack_bytes);
    current_ = this;
}

scheduler::~scheduler() {
    COIR_CHECK(alive_.empty(), "~scheduler: fibers are still suspended (invariant 7)");
    drop_spare();
    current_ = nullptr;
    if (gate_ != nullptr) gate_->let_go();
    running_schedulers::leave(serial_);
}

// ---- park and switch: the hot path -------------------------------------------------------------------------------

/// Ends with a tail jump to coir_context_switch: the fewer frames there are between the user's call and the switch, the
/// more returns on the way back are predicted.
[[gnu::noinline]] void scheduler::switch_to(task& from, task& to) noexcept {
    exchange(from, to);
    switch_context(from.flow, to.flow);
}

/// The same for a task that has never run.
[[gnu::noinline]] void scheduler::begin(task& from, task& unstarted) noexcept {
    unstarted.state = task_state::ready;
    exchange(from, unstarted);
    enter_context(from.flow, unstarted.flow);
}

[[gnu::always_inline]] inline void scheduler::exchange(task& from, task& to) noexcept {
    // Prefetches the stack of the task after `to`: it shares no page with other stacks, and its switch reads it first.
    if (const task* const after = ready_.front()) __builtin_prefetch(after->flow.at);
    mark_running(to);
    // Exceptions are rarely being handled, so three checks are cheaper than four writes.
    if (exceptions_->any() || to.exceptions.any() || from.exceptions.any()) [[unlikely]] {
        from.exceptions = *exceptions_;
        *exceptions_ = to.exceptions;
    }
}

/// The first ready task, or the hub if there is none or the budget is used up. A new task has its stack when this
/// returns, but has not been entered.
[[gnu::always_inline]] inline task& scheduler::choose_next() noexcept {
    while (budget_ > 0) {
        task* const next = ready_.pop();
        if (next == nullptr) break;
        --budget_;
        if (next->state != task_state::unstarted || give_stack(*next)) [[likely]]
            return *next;
    }
    return hub_task_;
}

void scheduler::mark_running(task& next) noexcept {
    status_.running.store(&next, std::memory_order_relaxed);
    // release: a thread that sees the new count also sees the record of the task. A plain store on x86-64.
    status_.slices.store(status_.slices.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

[[gnu::always_inline]] inline void scheduler::suspend(task& self) noexcept {
    // Nearly always the first ready task has been suspended before.
    task* const first = budget_ > 0 ? ready_.front() : nullptr;
    if (first == nullptr || first->state == task_state::unstarted) [[unlikely]]
        return suspend_slowly(self);
    ready_.pop();
    --budget_;
    if (first != &self)
        switch_to(self, *first);
    else
        mark_running(self);  // a fiber that is alone and yields begins a new slice too
}

[[gnu::noinline]] void scheduler::suspend_slowly(task& self) noexcept {
    task& next = choose_next();
    if (next.state == task_state::unstarted) [[unlikely]]
        begin(self, next);
    else if (&next != &self)
        switch_to(self, next);
    else
        mark_running(self);
}

void scheduler::yield() noexcept {
    task& self = running();
    ready_.push(self);
    suspend(self);
}

outcome scheduler::park(waiter& me, const deadline& until) {
    task& self = me.self;
    me.since = hub_.round_began();
    self.waits = &me;
    self.state = task_state::parked;
    if (until.is_never()) {
        suspend(self);
    } else {
        deadline_timer timer{until.nanoseconds(), me};
        hub_.timers().push(timer);
        suspend(self);
        if (timer.is_linked()) hub_.timers().remove(timer);
    }
    self.waits = nullptr;
    self.interrupted_in_a_row = 0;
    if (me.result == outcome::interrupted) [[unlikely]] {
        throw_interruption(self.due(static_cast<int>(exceptions_->uncaught)));
    }
    return me.result;
}

void scheduler::run_ready() noexcept {
    if (ready_.empty()) return;
    budget_ = hub_.quota();
    if (status_.wakes_watchdog.load(std::memory_order_relaxed)) [[unlikely]]
        status_.on_busy(status_);
    status_.selector.store(scheduler_status::block, std::memory_order_relaxed);
    if (order_) [[unlikely]]
        run_in_order();
    else
        suspend(hub_task_);
    check_process();
    status_.selector.store(scheduler_status::allow, std::memory_order_relaxed);
}

/// Runs one task at a time in the order of the seed, and returns to the hub after each.
void scheduler::run_in_order() noexcept {
    for (int left = budget_; left > 0 && !ready_.empty() && current_ == this;) {
        order_->choose(ready_);
        budget_ = 1;
        suspend(hub_task_);
        left -= 1 - budget_;  // the resume, and the operations that the task has counted
    }
}

// ---- a task's life -----------------------------------------------------------------------------------------------

task& scheduler::make_task(std::size_t closure_bytes, std::size_t alignment) {
    const std::size_t mask = std::max<std::size_t>(alignment, alignof(std::max_align_t)) - 1;
    // The record has spare room to align a closure more strictly than the slab aligns records.
    const std::size_t slack = alignment > record_slab::alignment ? alignment - record_slab::alignment : 0;
    const std::size_t bytes = ((sizeof(task) + mask) & ~mask) + slack + closure_bytes;
    const detection_paused growing{running()};
    task* const made = ::new (slab_->allocate(bytes)) task{ready_, *slab_};
    const auto address = reinterpret_cast<std::uintptr_t>(made);
    made->bytes = static_cast<std::uint32_t>(bytes);
    made->closure_offset = static_cast<std::uint16_t>(((address + sizeof(task) + mask) & ~mask) - address);
    return *made;
}

void scheduler::discard_task(task& unstarted) noexcept { free_record(unstarted); }

void scheduler::start(task& made, std::string_view name, std::size_t stack_bytes, const void* site) {
    if (!name.empty()) {
        name = name.substr(0, 255);
        char* const copy = static_cast<char*>(slab_->allocate(name.size()));
        std::memcpy(copy, name.data(), name.size());
        made.name = copy;
        made.name_bytes = static_cast<std::uint16_t>(name.size());
    }
    // A size that does not fit into the record is clamped. It exceeds the maximum of the pool, which throws when the
    // fiber is about to run.
    const std::size_t kib = stack_bytes == 0 ? 0 : stack_pool::round_up(stack_bytes) >> 10;
    made.stack_kib = static_cast<std::uint32_t>(std::min<std::size_t>(kib, UINT32_MAX));
    made.id = ++last_id_;
    made.parent = running().id;
    made.spawn_site = site;
    made.stop_requested = made.attention = draining_;
    alive_.push_back(made);
    ready_.push(made);
}

void scheduler::start_detached(const closure_ops& ops, void* closure, std::string_view name, std::size_t stack_bytes,
                               const void* site) {
    task& made = make_task(sizeof closure, alignof(void*));
    ::new (made.closure()) void* {closure};
    made.handle_alive = false;
    try {
        start(made, name, stack_bytes, site);
    } catch (...) {
        discard_task(made);
        throw;
    }
    made.ops = &ops;
}

[[gnu::always_inline]] inline void scheduler::run_tasks() noexcept {
    entered_context(running().flow);
    for (;;) {
        task& self = running();
        run_closure(self);
        keep_stack(self);
        retire(self);
        // If the next ready task is new, it runs on this stack, which is in the cache, without a switch.
        task* const next = budget_ > 0 ? ready_.front() : nullptr;
        if (next == nullptr || next->state != task_state::unstarted || !take_spare(*next)) break;
        ready_.pop();
        --budget_;
        next->state = task_state::ready;
        mark_running(*next);
    }
    status_.running.store(&dead_, std::memory_order_relaxed);  // the record of the ended task may have been freed
    // Hidden while the next task gets its stack, since this function still runs on the spare stack.
    const spare_stack own = std::exchange(spare_, {});
    task& next = choose_next();
    spare_ = own;
    if (next.state == task_state::unstarted) begin(dead_, next);
    exchange(dead_, next);
    leave_context(dead_.flow, next.flow);
}

extern "C" void coir_context_main() noexcept { scheduler::current()->run_tasks(); }

void scheduler::run_closure(task& self) noexcept {
    try {
        self.ops->run(self.closure());
    } catch (const cancelled&) {
        self.end = task_end::stopped;
    } catch (...) {
        self.end = task_end::failed;
        self.failure = failure_of_fiber();
    }
    if (self.locals != nullptr) {
        const shielded_end shield;
        destroy_local_values(self.locals);
    }
    if (self.handle_alive) [[likely]]
        return;
    if (self.failure != nullptr) {
        // Called within the fiber, since the program's handler may suspend.
        report_failure(self, settings_.on_unhandled_exception);
        self.failure_seen = true;
    }
    // The result of a detached fiber, here too because its destructor may suspend.
    const shielded_end shield;
    std::exchange(self.ops, nullptr)->destroy(self.closure());
    destroy_local_values(self.locals);  // values that the handler and the destructor have used
}

void scheduler::retire(task& ended) noexcept {
    ended.state = task_state::ended;
    ended.unlink();
    if (joiner* const notified = std::exchange(ended.joined_by, nullptr)) notified->done(*notified, ended);
    if (!ended.handle_alive) release(ended);
}

void scheduler::release(task& ended) noexcept {
    if (ended.failure != nullptr && !ended.failure_seen && !ended.slab->is_from_parent_process()) {
        const bool here = current_ != nullptr && current_->owns(ended);
        report_failure(ended, here ? current_->settings_.on_unhandled_exception : unhandled_exception_handler{});
    }
    free_record(ended);
}

// ---- stacks ------------------------------------------------------------------------------------------------------

bool scheduler::give_stack(task& unstarted) noexcept {
    if (!take_spare(unstarted)) {
        const detection_paused mapping{running()};
        try {
            unstarted.stack_pooled = unstarted.stack_kib != 0 || !settings_.allocator;
            unstarted.stack =
                unstarted.stack_pooled ? stacks_.allocate(stack_bytes_of(unstarted)) : settings_.allocator.allocate();
            refusal_ = nullptr;
        } catch (...) {
            unstarted.end = task_end::failed;
            unstarted.failure = refusal_of_stack(unstarted);
            retire(unstarted);
            return false;
        }
    }
    make_context(unstarted.flow, stack_of(unstarted));
    return true;
}

/// The exception that is being handled, or the one that an earlier fiber got for a stack of the same size, if none was
/// allocated since. One for each fiber could use up the memory that the C++ runtime reserves for exceptions.
std::exception_ptr scheduler::refusal_of_stack(const task& refused) noexcept {
    if (refusal_ == nullptr || refused_kib_ != refused.stack_kib) {
        refusal_ = current_failure();
        refused_kib_ = refused.stack_kib;
    }
    return refusal_;
}

bool scheduler::take_spare(task& unstarted) noexcept {
    if (spare_.memory.sp == nullptr || spare_.kib != unstarted.stack_kib) return false;
    unstarted.stack = std::exchange(spare_.memory, {});
    unstarted.stack_pooled = spare_.pooled;
    unstarted.flow = std::exchange(spare_.flow, {});
    return true;
}

void scheduler::keep_stack(task& ended) noexcept {
    drop_spare();
    spare_ = {std::exchange(ended.stack, {}), ended.flow, ended.stack_kib, ended.stack_pooled};
}

void scheduler::drop_spare() noexcept {
    if (spare_.memory.sp == nullptr) return;
    forget_context(spare_.flow);
    if (spare_.pooled)
        stacks_.deallocate(spare_.memory);
    else
        settings_.allocator.deallocate(spare_.memory);
    spare_.memory = {};
}

void scheduler::free_record(task& ended) noexcept {
    record_slab& slab = *ended.slab;
    const std::size_t bytes = ended.bytes;
    if (ended.ops != nullptr) {
        const shielded_end shield;  // of the fiber that gives up the handle
        ended.ops->destroy(ended.closure());
    }
    if (ended.name != nullptr) slab.deallocate(const_cast<char*>(ended.name), ended.name_bytes);
    delete ended.stop;
    ended.~task();
    slab.deallocate(&ended, bytes);
}

void scheduler::dump(std::ostream& out, const dump_options& options) const {
    const detection_paused reading_symbols{running()};
    dump_tasks(out, alive_, {.running = running(), .now = hub::now(), .default_stack = settings_.stack_bytes}, options);
}

}  // namespace coir::detail
