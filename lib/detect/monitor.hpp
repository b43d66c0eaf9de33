#pragma once

#include <coir/blocking.hpp>

#include "core/loop/scheduler_status.hpp"
#include "detect/blocking_events.hpp"
#include "detect/settings.hpp"
#include "detect/wakeup_semaphore.hpp"

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

/// What a thread that runs fibers and the watchdog tell each other about blocking.
class monitor {
public:
    /// On the thread to be looked at. What it sees goes into `memory`.
    monitor(scheduler_status& thread, settings how, wakeup_semaphore& watchdog, blocking_event_memory& memory);
    monitor(const monitor&) = delete;
    monitor& operator=(const monitor&) = delete;

    [[nodiscard]] const settings& how() const noexcept { return how_; }
    [[nodiscard]] scheduler_status& thread() const noexcept { return thread_; }
    [[nodiscard]] blocking_event_table& events() noexcept { return events_; }

    /// Says which engine there really is, and what it cannot see.
    void use_engine(blocking_engine engine, std::string_view missing) noexcept;
    [[nodiscard]] blocking_engine engine() const noexcept { return memory_.engine; }
    [[nodiscard]] std::string missing() const { return memory_.missing.data(); }

    // ---- the thread that is looked at ----

    /// The calling thread's, nullptr for none.
    [[nodiscard]] static monitor* current() noexcept { return current_; }
    static void make_current(monitor* here) noexcept { current_ = here; }

    /// The calling thread's while a fiber runs there whose calls are to be looked at, and by one of these engines; else
    /// nullptr. What a hook asks first.
    [[nodiscard]] static monitor* looking(blocking_engine first, blocking_engine last) noexcept {
        monitor* const here = current_;
        const bool looks = here != nullptr && first <= here->engine() && here->engine() <= last &&
                           here->thread_.selector.load(std::memory_order_relaxed) == scheduler_status::block;
        return looks && here->is_curious() ? here : nullptr;
    }

    /// The same for a trap, which only a fiber can meet.
    [[nodiscard]] static monitor* looking_by_traps() noexcept {
        monitor* const here = current_;
        return here != nullptr && here->engine() == blocking_engine::trap && here->is_curious() ? here : nullptr;
    }

    [[nodiscard]] bool wants(blocking_class category) const noexcept { return how_.options.classes.contains(category); }

    /// The running fiber is about to make a call that may sleep: the caller fills in what it knows of it, and then lets
    /// the watchdog see it, and whoever reads the record of a process that was killed in that call.
    [[nodiscard]] blocking_event& prepare_call() noexcept;
    void begin_call() noexcept;
    [[nodiscard]] blocking_event& call() noexcept { return memory_.call; }

    /// That call is over. True when the watchdog has spoken of it in the meantime.
    bool end_call() noexcept;

    /// A hook has seen the running fiber.
    void record(const blocking_event& seen) noexcept;

    /// The signal handler: leaves the stack that it interrupted, if it was asked for it.
    void leave_sample() noexcept;

    /// The handler of traps makes a system call for the fiber, while the selector allows it; and is done.
    void begin_trap() noexcept;
    void end_trap() noexcept;

    // ---- the watchdog's thread ----

    /// Whether a fiber runs, in that slice.
    [[nodiscard]] bool runs_fiber(std::uint64_t slice) const noexcept;

    /// The call that the fiber of that slice is in; false: it is in none that is known of.
    [[nodiscard]] bool current_call(std::uint64_t slice, blocking_event& into) const noexcept;

    /// The watchdog speaks of the current call: its end is then not a blocking_event of its own.
    void mark_call_reported() noexcept { call_reported_.store(true, std::memory_order_relaxed); }

    enum class sample { none, asked, taken, refused };

    /// Asks the signal handler for the stack of a slice.
    void ask_for_sample(std::uint64_t slice) noexcept;
    [[nodiscard]] sample sample_state() const noexcept { return sample_.load(std::memory_order_acquire); }
    [[nodiscard]] const call_stack& sampled_stack() const noexcept { return sampled_stack_; }
    void forget_sample() noexcept { sample_.store(sample::none, std::memory_order_relaxed); }

    /// The next blocking_event of the table was judged: empty text when it was suppressed.
    void judged(std::string text);

    /// Policy fail: `blocking_call` is due in that fiber, for what lies at `place` of the table.
    void make_due(std::uint64_t fiber, int index) noexcept;

private:
    struct due {
        std::uint64_t fiber;
        int index;
    };

    [[nodiscard]] bool is_curious() const noexcept;
    [[nodiscard]] bool is_in_call(std::uint64_t slice) const noexcept;
    void take_sample() noexcept;
    static void throw_what_is_due(scheduler_status& thread);
    void throw_due();

    static thread_local constinit monitor* current_ __attribute__((tls_model("initial-exec")));

    scheduler_status& thread_;
    const settings how_;
    wakeup_semaphore& watchdog_;
    blocking_event_memory& memory_;
    blocking_event_table events_;

    static constexpr std::uint64_t no_slice = ~std::uint64_t{0};
    std::atomic<std::uint64_t> call_slice_{no_slice};
    std::atomic<std::uint64_t> trap_slice_{no_slice};
    std::atomic<bool> call_reported_{false};

    std::atomic<sample> sample_{sample::none};
    std::uint64_t sampled_slice_ = 0;
    call_stack sampled_stack_;

    std::mutex mutex_;  // of what follows
    std::condition_variable judgement_;
    std::vector<std::string> verdicts_;  // by index in the table
    std::vector<due> due_;
};

/// Reads how often the calling thread has gone to sleep: the kernel counts it as a voluntary context switch.
[[nodiscard]] long times_asleep() noexcept;

/// What comes of a call of the running fiber, from before it to after.
class outcome_of_call {
public:
    outcome_of_call() noexcept : sleeps_before_{times_asleep()}, began_{std::chrono::steady_clock::now()} {}

    [[nodiscard]] std::chrono::nanoseconds held() const noexcept { return std::chrono::steady_clock::now() - began_; }
    [[nodiscard]] bool has_slept() const noexcept { return times_asleep() != sleeps_before_; }

private:
    long sleeps_before_;
    std::chrono::steady_clock::time_point began_;
};

/// A call of a hooked function by the running fiber, which may sleep: its outcome tells what it was. Keeps errno.
class watched_call {
public:
    /// `site` is where it returns to. A sleep shorter than `least` is nothing to speak of, and with a `least` neither
    /// is a call that did not sleep.
    watched_call(monitor& by, const char* name, blocking_class category, const void* site,
                 std::chrono::nanoseconds least = {}) noexcept;
    ~watched_call();
    watched_call(const watched_call&) = delete;
    watched_call& operator=(const watched_call&) = delete;

private:
    monitor& by_;
    blocking_event& seen_;
    const void* const site_;
    const std::chrono::nanoseconds least_;
    const outcome_of_call outcome_;
};

/// The fiber that runs; for the scheduler's own thread.
void label_running(const scheduler_status& thread, fiber_label& into) noexcept;

}  // namespace coir::detail
