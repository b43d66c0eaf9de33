#pragma once

#include <coir/blocking.hpp>

#include "core/loop/scheduler_status.hpp"
#include "detect/calls/call_model.hpp"
#include "detect/engine/watch/wakeup_semaphore.hpp"
#include "detect/record/blocking_events.hpp"
#include "detect/settings.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// The state shared between a thread that runs fibers and the watchdog.
class monitor {
public:
    /// Constructed on the watched thread. Stores the events in `memory`, which must outlive it.
    monitor(scheduler_status& thread, settings config, wakeup_semaphore& watchdog, blocking_event_memory& memory);
    ~monitor() { thread_.blocked = nullptr; }
    monitor(const monitor&) = delete;
    monitor& operator=(const monitor&) = delete;

    [[nodiscard]] const settings& config() const noexcept { return config_; }
    [[nodiscard]] scheduler_status& thread() const noexcept { return thread_; }
    [[nodiscard]] blocking_event_table& events() noexcept { return events_; }

    /// Sets the engine in use and the calls that it cannot detect.
    void use_engine(blocking_engine engine, std::string_view missing) noexcept;
    [[nodiscard]] blocking_engine engine() const noexcept { return memory_.engine; }
    [[nodiscard]] std::string missing() const { return memory_.missing.data(); }

    // ---- called on the watched thread ----

    /// The monitor of the calling thread; nullptr if it has none.
    [[nodiscard]] static monitor* current() noexcept { return current_; }
    static void make_current(monitor* here) noexcept { current_ = here; }

    /// The monitor of the calling thread if a hook has to observe the current call: a fiber runs, blocking is not
    /// permitted in it, no outer hooked call is in progress, and the engine is between `first` and `last`. Otherwise
    /// nullptr.
    [[nodiscard]] static monitor* active(blocking_engine first, blocking_engine last) noexcept {
        monitor* const here = current_;
        const bool is_active = here != nullptr && first <= here->engine() && here->engine() <= last &&
                               here->thread_.selector.load(std::memory_order_relaxed) == scheduler_status::block;
        return is_active && here->observes_calls() ? here : nullptr;
    }

    /// The same for a trap. Only a fiber's call is trapped, so the selector is not checked.
    [[nodiscard]] static monitor* active_for_traps() noexcept {
        monitor* const here = current_;
        return here != nullptr && here->engine() == blocking_engine::trap && here->observes_calls() ? here : nullptr;
    }

    [[nodiscard]] bool wants(blocking_class category) const noexcept {
        return config_.options.classes.contains(category);
    }

    /// Before a call of the running fiber that may sleep: returns the event of the call, in which the caller sets name,
    /// class and stack. `begin_call` then publishes it to the watchdog and in the record file, which shows the call
    /// even if the process is killed in it.
    [[nodiscard]] blocking_event& prepare_call() noexcept;
    void begin_call() noexcept;
    [[nodiscard]] blocking_event& call() noexcept { return memory_.call; }

    /// The same for a call that may not sleep: tells the watchdog only that its observer records it if it does.
    void begin_unpublished_call() noexcept;

    /// After the call, which has lasted for `held`. Returns whether the watchdog has recorded it meanwhile. Then the
    /// watchdog's record stands, and gets this duration.
    bool end_call(std::chrono::nanoseconds held) noexcept;

    /// Records an event of the running fiber.
    void record(const blocking_event& seen) noexcept;

    /// Counts an event for `stats`, on the thread or on the watchdog's; with a count of 0, adds the time only.
    void count(blocking_class category, std::uint64_t count, std::chrono::nanoseconds held) noexcept;

    /// Called in the signal handler: stores the interrupted stack if the watchdog has requested it.
    void sample_in_handler() noexcept;

    /// The stack of a call that the fiber makes itself after the SIGSYS handler (`begin_passed_call`).
    [[nodiscard]] call_stack& passed_call() noexcept { return passed_call_; }

    /// Called around a system call that the SIGSYS handler makes for the fiber.
    void begin_trap() noexcept;
    void end_trap() noexcept;

    // ---- called on the watchdog's thread ----

    /// The time that fibers have run, up to now; the record file gets it too.
    std::chrono::nanoseconds note_fibers_ran() noexcept;

    /// Whether a fiber runs in the slice `slice`.
    [[nodiscard]] bool runs_fiber(std::uint64_t slice) const noexcept;

    /// Whether a hook or trap observes a call in the slice `slice`, and will record it if it sleeps.
    [[nodiscard]] bool is_observed(std::uint64_t slice) const noexcept;

    /// Copies the published call of the slice `slice`. Returns false if the fiber is in none.
    [[nodiscard]] bool current_call(std::uint64_t slice, blocking_event& into) const noexcept;

    /// Tells `end_call` that the watchdog has recorded the current call, so that it is not counted twice.
    void mark_call_reported() noexcept { call_reported_.store(true, std::memory_order_relaxed); }

    /// The duration of the recorded call of the slice `slice`; 0 if there is none that has ended.
    [[nodiscard]] std::chrono::nanoseconds reported_call(std::uint64_t slice) const noexcept {
        return std::chrono::nanoseconds{reported_slice_.load(std::memory_order_acquire) == slice
                                            ? reported_held_.load(std::memory_order_relaxed)
                                            : 0};
    }

    enum class sample { none, asked, taken, refused };

    /// Requests the stack of the slice `slice` from the signal handler.
    void ask_for_sample(std::uint64_t slice) noexcept;
    /// How many of the watchdog's signals have arrived.
    [[nodiscard]] unsigned signals_received() const noexcept {
        return signals_received_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] sample sample_state() const noexcept { return sample_.load(std::memory_order_acquire); }
    [[nodiscard]] const call_stack& sampled_stack() const noexcept { return sampled_stack_; }
    void forget_sample() noexcept { sample_.store(sample::none, std::memory_order_relaxed); }

    /// Stores the verdict on the next event of the table: its message, or an empty text if it is suppressed.
    void add_verdict(std::string text);

    /// For `blocking_policy::fail`: makes the fiber with the id `fiber` throw `blocking_call` at its next suspension,
    /// for the event at `index` of the table.
    void request_failure(std::uint64_t fiber, int index) noexcept;

private:
    struct pending_failure {
        std::uint64_t fiber;
        int index;
    };

    [[nodiscard]] bool observes_calls() const noexcept;
    [[nodiscard]] bool is_in_call(std::uint64_t slice) const noexcept;
    void take_sample() noexcept;
    static void throw_pending(scheduler_status& thread);
    void throw_failure();

    static thread_local constinit monitor* current_ __attribute__((tls_model("initial-exec")));

    scheduler_status& thread_;
    const settings config_;
    wakeup_semaphore& watchdog_;
    blocking_event_memory& memory_;
    blocking_event_table events_;

    static constexpr std::uint64_t no_slice = ~std::uint64_t{0};
    std::atomic<std::uint64_t> call_slice_{no_slice};
    std::atomic<std::uint64_t> trap_slice_{no_slice};
    std::array<blocked_counter, blocking_class_count> blocked_;
    std::atomic<bool> unpublished_call_{false};
    std::atomic<bool> call_reported_{false};
    call_stack passed_call_;
    std::atomic<std::int64_t> reported_held_{0};  // of the last call that the watchdog has recorded, ns
    std::atomic<std::uint64_t> reported_slice_{no_slice};

    std::atomic<sample> sample_{sample::none};
    std::atomic<unsigned> signals_received_{0};
    std::uint64_t sampled_slice_ = 0;
    call_stack sampled_stack_;

    std::mutex mutex_;  // protects the members below
    std::condition_variable verdict_added_;
    std::vector<std::string> verdicts_;  // by index in the table
    std::vector<pending_failure> pending_failures_;
};

/// How often the calling thread has slept: the number of its voluntary context switches (getrusage(2), `ru_nvcsw`).
[[nodiscard]] long times_asleep() noexcept;

/// Measures a call of the running fiber, from its construction before the call to the queries after it.
class outcome_of_call {
public:
    outcome_of_call() noexcept : sleeps_before_{times_asleep()}, began_{std::chrono::steady_clock::now()} {}

    [[nodiscard]] std::chrono::nanoseconds held() const noexcept { return std::chrono::steady_clock::now() - began_; }
    [[nodiscard]] bool has_slept() const noexcept { return times_asleep() != sleeps_before_; }

private:
    long sleeps_before_;
    std::chrono::steady_clock::time_point began_;
};

/// Observes a call of a hooked function that may sleep, from its construction before the call to its destruction after
/// it, and records the event. Preserves errno.
class watched_call {
public:
    /// `name` is that of the function, `site` the return address of the call.
    watched_call(monitor& watcher, const call_name& name, const call_model& model, const void* site) noexcept;
    ~watched_call();
    watched_call(const watched_call&) = delete;
    watched_call& operator=(const watched_call&) = delete;

private:
    monitor& watcher_;
    blocking_event& seen_;
    const void* const site_;
    const call_model model_;
    const outcome_of_call outcome_;
};

/// Copies the label of the running fiber. Only on the scheduler's own thread.
void label_running(const scheduler_status& thread, fiber_label& into) noexcept;

}  // namespace coir::detail
