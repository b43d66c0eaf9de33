#pragma once

#include <coir/clock.hpp>
#include <coir/deadline.hpp>
#include <coir/detail/core/stack_allocator.hpp>

#include "base/random.hpp"
#include "core/loop/hub.hpp"
#include "core/loop/schedule_order.hpp"
#include "core/loop/scheduler_status.hpp"
#include "core/remote/gate.hpp"
#include "core/switch/record_slab.hpp"
#include "core/switch/stack_pool.hpp"
#include "core/task/task.hpp"
#include "core/task/waiter.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace coir {
struct scheduler_stats;
}

namespace coir::detail {

using unhandled_exception_handler = std::function<void(std::exception_ptr, std::string_view)>;

struct scheduler_settings {
    std::string name;
    std::size_t stack_bytes = 0;
    clock_mode clock = clock_mode::real;
    std::optional<std::uint64_t> seed;  // of the order in which fibers run; none: first come, first served
    any_stack_allocator allocator;      // of fibers that ask for no size of their own; empty: the pool
    unhandled_exception_handler on_unhandled_exception;
};

/// Runs the tasks of one thread. scheduler.cpp has park, switch and a task's life; scheduler_run.cpp the rounds, the deadlock
/// check and the end; interruption.cpp how a stop reaches a fiber; forked_process.cpp what a child of fork finds. A task runs until it parks, and then switches straight to the next ready one; only the
/// hub, the thread's own stack, looks at descriptors, timers and the inbox (invariants 2 and 3).
///
/// A wait is written so:
///
///     scheduler& here = scheduler::enter("mutex::lock");
///     waiter me{here.running(), "mutex"};
///     waiters_.push_back(me);
///     const outcome how = here.park(me, until);
///
/// `enter` throws what is due (`not_in_fiber`, `cancelled`, `scope_expired`), so it comes before the waiter is left
/// with whoever can wake it; `park` throws when the wait was interrupted.
class scheduler {
public:
    explicit scheduler(scheduler_settings settings);
    ~scheduler();
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;

    /// The calling thread's, nullptr when it runs none.
    [[nodiscard]] static scheduler* current() noexcept { return current_; }

    /// The calling fiber's. Throws `not_in_fiber`, naming the operation.
    static scheduler& get(const char* operation) {
        if (current_ == nullptr) [[unlikely]]
            throw_not_in_fiber(operation);
        return *current_;
    }

    /// As `get`, at the beginning of a suspension: throws what the fiber is to be told.
    static scheduler& enter(const char* operation) {
        scheduler& here = get(operation);
        if (here.running().attention || here.status_.pending.load(std::memory_order_relaxed)) [[unlikely]] {
            here.deliver(operation);
        }
        return here;
    }

    /// Never to be called by the hub.
    [[nodiscard]] task& running() const noexcept { return *status_.running.load(std::memory_order_relaxed); }

    /// Suspends the running task until its waiter is woken or `until` passes. Throws `cancelled` or `scope_expired`
    /// when that came first; the waiter is in no queue then.
    outcome park(waiter& me, const deadline& until);

    /// Lets all that are ready run first.
    void yield() noexcept;

    /// Counts an operation of the running task that may complete without a suspension. True when the task has completed so
    /// many in this slice that it must yield: a descriptor that is always ready must not monopolise the thread.
    [[nodiscard]] bool is_yield_due() noexcept {
        const std::uint64_t slice = status_.slices.load(std::memory_order_relaxed);
        if (counted_slice_ != slice) {
            counted_slice_ = slice;
            operations_ = 0;
        }
        if (++operations_ < operations_max) return false;
        operations_ = 0;
        return true;
    }
    void yield_if_due() noexcept {
        if (is_yield_due()) yield();
    }

    /// A record with room for a closure, not yet known to anyone. Throws `std::bad_alloc`.
    task& make_task(std::size_t closure_bytes, std::size_t alignment);
    void discard_task(task& unstarted) noexcept;

    /// Sets a task going: it runs at the next suspension, after those already ready. Throws `std::bad_alloc` for the
    /// name.
    void start(task& made, std::string_view name, std::size_t stack_bytes, const void* site);

    /// Sets a task going that nobody owns, whose closure is this pointer. For the hub too. Throws `std::bad_alloc`.
    void start_detached(const closure_ops& ops, void* closure, std::string_view name = {}, std::size_t stack_bytes = 0,
                        const void* site = nullptr);

    /// Makes a stop due to `who`, once; its stop callbacks run here and now.
    void request_stop(task& who);

    /// The owner of an ended task's record lets go of it. May report a failure that nobody asked for.
    static void release(task& ended) noexcept;

    /// Hands what the running task has caught, and nobody will ever ask for, to `on_unhandled_exception`.
    void report_unhandled(std::exception_ptr failure) noexcept;

    /// Runs `main` and all that it starts, on this thread. When `main` ends, the others are stopped and waited for.
    /// Throws `deadlock` when nothing can wake those that are left.
    void run(task& main);

    /// Whether `who` belongs to this scheduler.
    [[nodiscard]] bool owns(const task& who) const noexcept { return who.ready == &ready_; }

    /// Unlike every scheduler before and after it, in this process.
    [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

    /// Of the order in which fibers run, where it is a seed's.
    [[nodiscard]] std::optional<std::uint64_t> seed() const noexcept { return settings_.seed; }

    /// One of 0 to `count` - 1, where a choice is to be fair. The same choices in each run of a seed.
    [[nodiscard]] std::size_t draw(std::size_t count) noexcept { return random_.below(count); }

    /// A line for each fiber that is alive, in the order of spawning.
    void dump(std::ostream& out) const;

    [[nodiscard]] scheduler_stats stats() const noexcept;

    timer_queue& timers() noexcept { return hub_.timers(); }
    detail::reactor& reactor() noexcept { return hub_.reactor(); }
    detail::inbox& inbox() noexcept { return hub_.inbox(); }
    /// For those who do not know whether this scheduler still runs. Throws `std::bad_alloc`.
    detail::gate& gate();
    detail::scheduler_status& status() noexcept { return status_; }
    [[nodiscard]] const std::string& name() const noexcept { return settings_.name; }

    /// What runs on every stack: one task after the other, as long as the next one is new as well.
    [[noreturn]] void run_tasks() noexcept;

private:
    static constexpr unsigned operations_max = 64;  // in one slice

    /// A stack that has lost its task and may still be run on: kept for the next task, given back when another one
    /// ends.
    struct spare_stack {
        boost::context::stack_context memory;
        context flow;
        std::uint32_t kib = 0;  // asked for
        bool pooled = true;
    };

    [[noreturn, gnu::cold]] static void throw_not_in_fiber(const char* operation);
    static void prepare_for_forks();
    static void stay_in_parent() noexcept;
    void check_process() const noexcept;

    void suspend(task& self) noexcept;
    void suspend_slowly(task& self) noexcept;
    task& choose_next() noexcept;
    void switch_to(task& from, task& to) noexcept;
    void begin(task& from, task& unstarted) noexcept;
    void exchange(task& from, task& to) noexcept;
    void mark_running(task& next) noexcept;
    bool give_stack(task& unstarted) noexcept;
    bool take_spare(task& unstarted) noexcept;
    void drop_spare() noexcept;
    void keep_stack(task& ended) noexcept;

    void run_closure(task& self) noexcept;
    void retire(task& ended) noexcept;
    static void free_record(task& ended) noexcept;
    static void report_failure(const task& of, const unhandled_exception_handler& handler) noexcept;

    [[gnu::cold]] void deliver(const char* operation);
    [[noreturn]] void throw_interruption(const interruption& what);
    void stop_all();

    void run_ready() noexcept;
    void run_in_order() noexcept;
    void poll() noexcept;
    bool trim_stacks(std::int64_t now) noexcept;
    void check_for_deadlock(std::int64_t now);

    static thread_local constinit scheduler* current_ __attribute__((tls_model("initial-exec")));
    static thread_local constinit scheduler* parents_;  // whose fiber has forked this process
    friend detail::scheduler_status* detail::this_thread_status() noexcept;

    // Used by every switch: kept together.
    detail::scheduler_status status_;
    ready_list ready_;
    int budget_ = 0;  // resumes left in this round
    exception_state* const exceptions_;
    record_slab* const slab_;
    task hub_task_;  // the thread's own flow, in which the hub runs
    task dead_;      // stands for the task that ended in the last switch

    scheduler_settings settings_;
    spare_stack spare_;
    stack_pool stacks_;
    std::optional<schedule_order> order_;  // where a seed gives the order
    hub hub_;
    detail::gate* gate_ = nullptr;  // made when it is first asked for
    list<task> alive_;

    random_numbers random_;

    const std::uint64_t serial_;
    std::uint64_t last_id_ = 0;
    std::uint64_t counted_slice_ = 0;  // the slice of `operations_`
    unsigned operations_ = 0;
    std::int64_t period_began_ = 0;
    std::int64_t draining_since_ = 0;
    bool draining_ = false;      // the main task has ended: all are stopped, and what is spawned is born stopped
    int callbacks_running_ = 0;  // stop callbacks, which must not suspend
    std::string deadlock_;       // what was found, empty when none was
};

}  // namespace coir::detail
