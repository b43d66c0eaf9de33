#pragma once

#include <coir/clock.hpp>
#include <coir/deadline.hpp>
#include <coir/detail/core/stack_allocator.hpp>
#include <coir/dump_options.hpp>

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
#include <exception>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace coir {
struct scheduler_stats;
}

namespace coir::detail {

class owner;

using unhandled_exception_handler = std::function<void(std::exception_ptr, std::string_view)>;

struct scheduler_settings {
    std::string name;
    std::size_t stack_bytes = 0;
    clock_mode clock = clock_mode::real;
    std::optional<std::uint64_t> seed;  // determines the order in which fibers run; none: first come, first served
    any_stack_allocator allocator;      // for fibers without a stack size of their own; empty: the stack pool
    unhandled_exception_handler on_unhandled_exception;
};

/// Runs the tasks of one thread. A task runs until it parks, and then switches directly to the next ready task. Only
/// the hub, which runs on the thread's own stack, polls descriptors, timers and the inbox (invariants 2 and 3). Unless
/// stated otherwise, all functions must be called on the scheduler's thread.
///
/// Its functions are in these files: park, switch and a task's life in scheduler.cpp; rounds, deadlock and the end in
/// scheduler_run.cpp; stops and expiries in task/interruption.cpp; fork(2) in forked_process.cpp;
/// failures that are never retrieved in unhandled_failure.cpp; figures in stats.cpp.
///
/// A wait is written as follows:
///
///     scheduler& here = scheduler::enter("mutex::lock");
///     waiter me{here.running(), "mutex"};
///     waiters_.push_back(me);
///     const outcome how = here.park(me, until);
///
/// `enter` throws the exception that is due (`not_in_fiber`, `cancelled`, `scope_expired`), so it must come before the
/// waiter is put into a queue. `park` throws if the wait was interrupted.
class scheduler {
public:
    explicit scheduler(scheduler_settings settings);
    ~scheduler();
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;

    /// The calling thread's scheduler; nullptr if it runs none. May be called on any thread.
    [[nodiscard]] static scheduler* current() noexcept { return current_; }

    /// The calling fiber's scheduler. Throws `not_in_fiber`, naming the operation, if there is none; `wrong_scheduler`
    /// if the object of the operation then belongs to a scheduler that runs.
    static scheduler& get(const char* operation, const owner* of = nullptr) {
        if (current_ == nullptr) [[unlikely]]
            throw_not_in_fiber(operation, of);
        return *current_;
    }

    /// Like `get`, for the beginning of a suspending operation. Also throws the fiber's interruption if one is due,
    /// after letting other fibers run, and what `scheduler_status::on_pending` throws.
    static scheduler& enter(const char* operation, const owner* of = nullptr) {
        scheduler& here = get(operation, of);
        if (here.running().attention || here.status_.pending.load(std::memory_order_relaxed)) [[unlikely]] {
            here.deliver(operation);
        }
        return here;
    }

    /// The task of the calling fiber. In the hub, the hub's own task.
    [[nodiscard]] task& running() const noexcept { return *status_.running.load(std::memory_order_relaxed); }

    /// Suspends the running task until its waiter is woken or `until` passes. Throws `cancelled` or `scope_expired` if
    /// that came first; the waiter is then in no queue.
    outcome park(waiter& me, const deadline& until);

    /// Puts the running task behind all ready tasks and suspends it.
    void yield() noexcept;

    /// Counts an operation of the running task that may complete without a suspension: it takes from the round as much
    /// as a resume. True if the task must yield, since 64 such operations or the round are over: something that is
    /// always ready must not monopolise the thread.
    [[nodiscard]] bool is_yield_due() noexcept {
        const int left = --budget_;
        if (left > 0 && left % operations_max != 0) [[likely]]
            return false;
        // In the order of a seed, each resume is a round of its own. A stop callback must not suspend.
        return (!order_ || left % operations_max == 0) && callbacks_running_ == 0;
    }
    void yield_if_due() noexcept {
        if (is_yield_due()) yield();
    }

    /// Makes a record with room for a closure. It is not in any list yet. Throws `std::bad_alloc`.
    task& make_task(std::size_t closure_bytes, std::size_t alignment);
    /// Frees a record that was not started. Destroys its closure if `ops` is set.
    void discard_task(task& unstarted) noexcept;

    /// Makes the task ready, behind the tasks that are already ready. Throws `std::bad_alloc` if there is no memory for
    /// the name.
    void start(task& made, std::string_view name, std::size_t stack_bytes, const void* site);

    /// Starts a task without a handle. `ops` is called with a pointer to the pointer `closure`. May be called by the
    /// hub. Throws `std::bad_alloc`; then `ops` is not called.
    void start_detached(const closure_ops& ops, void* closure, std::string_view name = {}, std::size_t stack_bytes = 0,
                        const void* site = nullptr);

    /// Requests a stop of `fiber`, and runs its stop callbacks before it returns. Has an effect only once.
    void request_stop(task& fiber);

    /// Called when the handle of an ended task gives up the record. Reports a failure that was never retrieved.
    static void release(task& ended) noexcept;

    /// Passes an exception that the running task has caught to `on_unhandled_exception`.
    void report_unhandled(std::exception_ptr failure) noexcept;

    /// Runs `main` and all tasks that are started meanwhile, on the calling thread. When `main` ends, stops the others
    /// and waits for them. Throws `deadlock` if nothing can wake the remaining tasks.
    void run(task& main);

    /// The address space that the task has asked for as its stack, if the stack is from the pool.
    [[nodiscard]] std::size_t stack_bytes_of(const task& fiber) const noexcept {
        return fiber.stack_bytes_or(settings_.stack_bytes);
    }

    /// Whether `fiber` belongs to this scheduler. May be called on any thread, while `fiber` exists.
    [[nodiscard]] bool owns(const task& fiber) const noexcept { return fiber.ready == &ready_; }

    /// Unique among all schedulers of this process.
    [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

    /// The seed that determines the order in which fibers run, if there is one.
    [[nodiscard]] std::optional<std::uint64_t> seed() const noexcept { return settings_.seed; }

    /// A random number from 0 to `count` - 1, for fair choices. The sequence is the same in each run with the same
    /// seed.
    [[nodiscard]] std::size_t draw(std::size_t count) noexcept { return random_.below(count); }

    /// Writes a line for each fiber that is alive, in the order of spawning.
    void dump(std::ostream& out, const dump_options& options) const;

    [[nodiscard]] scheduler_stats stats() const noexcept;

    timer_queue& timers() noexcept { return hub_.timers(); }
    detail::reactor& reactor() noexcept { return hub_.reactor(); }
    detail::inbox& inbox() noexcept { return hub_.inbox(); }
    /// The gate for threads that cannot know whether this scheduler still runs. Made at the first call, which throws
    /// `std::bad_alloc`.
    detail::gate& gate();
    detail::scheduler_status& status() noexcept { return status_; }
    [[nodiscard]] const std::string& name() const noexcept { return settings_.name; }

    /// The function that runs on every stack: runs tasks one after the other on this stack while the next ready task is
    /// new.
    [[noreturn]] void run_tasks() noexcept;

private:
    static constexpr int operations_max = 64;  // without a yield

    /// The stack of the task that ended last, which may still be running on it. It is kept for the next new task, and
    /// given back when another task ends.
    struct spare_stack {
        boost::context::stack_context memory;
        context flow;
        std::uint32_t kib = 0;  // the requested size
        bool pooled = true;
    };

    [[noreturn, gnu::cold]] static void throw_not_in_fiber(const char* operation, const owner* of);
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
    std::exception_ptr refusal_of_stack(const task& refused) noexcept;
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
    bool trim_stacks(std::int64_t now, std::size_t at_most) noexcept;
    void handle_stall(std::int64_t now) noexcept;

    static thread_local constinit scheduler* current_ __attribute__((tls_model("initial-exec")));
    /// In a forked process, the scheduler whose fiber called fork(2).
    static thread_local constinit scheduler* parent_scheduler_;
    friend detail::scheduler_status* detail::this_thread_status() noexcept;

    // Members that every switch uses are kept together.
    detail::scheduler_status status_;
    ready_list ready_;
    int budget_ = 0;  // resumes and operations left until the hub looks; may fall below 0
    exception_state* const exceptions_;
    const std::unique_ptr<record_slab, record_slab::abandoner> slab_;
    task hub_task_;  // the thread's own flow, in which the hub runs
    task dead_;      // a stand-in for an ended task during its last switch

    scheduler_settings settings_;
    spare_stack spare_;
    stack_pool stacks_;
    std::exception_ptr refusal_;  // of the last stack, if there was no memory for it
    std::uint32_t refused_kib_ = 0;
    std::optional<schedule_order> order_;  // empty if no seed was given
    hub hub_;
    detail::gate* gate_ = nullptr;  // made at the first call of gate()
    list<task> alive_;

    random_numbers random_;

    const std::uint64_t serial_;
    std::uint64_t last_id_ = 0;
    std::int64_t period_began_ = 0;
    std::int64_t trimmed_at_ = 0;
    std::int64_t draining_since_ = 0;
    bool draining_ = false;      // the main task has ended: all tasks are requested to stop, new ones from the start
    int callbacks_running_ = 0;  // stop callbacks in progress, which must not suspend
    std::string deadlock_;       // report of a deadlock that was found; empty if none
};

}  // namespace coir::detail
