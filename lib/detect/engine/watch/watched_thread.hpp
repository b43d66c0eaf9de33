#pragma once

#include <coir/blocking.hpp>
#include <coir/detail/base/list.hpp>

#include "detect/engine/monitor.hpp"
#include "detect/engine/watch/thread_probe.hpp"
#include "detect/finding/reporter.hpp"
#include "detect/record/record_file.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <semaphore>

namespace coir::detail {

/// The watchdog's record of a thread that runs fibers. Constructed on that thread, used on the watchdog's thread.
class watched_thread : public list_hook {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Throws what `run_record` and `reporter` throw.
    watched_thread(scheduler_status& thread, settings config, wakeup_semaphore& watchdog, report_queue& reports);

    [[nodiscard]] monitor& shared() noexcept { return shared_; }

    /// The time between two calls of `inspect`.
    [[nodiscard]] std::chrono::nanoseconds interval() const noexcept;

    /// Examines the current slice and logs new events. `stack_signal` is the signal that samples the thread's stack; 0
    /// if there is none.
    void inspect(time_point now, int stack_signal);

    /// When a fiber was last observed to run.
    [[nodiscard]] time_point last_busy() const noexcept { return last_busy_; }

    /// Logs and reports the rest.
    void finish();

    /// Whether a signal of the watchdog has not arrived: the thread has blocked it meanwhile.
    [[nodiscard]] bool has_pending_signal() const noexcept { return signals_sent_ != shared_.signals_received(); }

    /// The thread asks the watchdog to deliver all reports and to watch it no longer.
    void leave() noexcept { leaving_.store(true, std::memory_order_release); }
    [[nodiscard]] bool is_leaving() const noexcept { return leaving_.load(std::memory_order_acquire); }

    /// The watchdog calls `release` after its last access. The thread itself waits for that before it destroys the
    /// object.
    void release() noexcept { done_.release(); }
    void wait_for_release() noexcept { done_.acquire(); }

private:
    /// The time from one switch to the next, in which one fiber runs.
    struct slice {
        std::uint64_t number = 0;
        time_point began;
        std::chrono::nanoseconds cpu_at_begin{0};
        std::chrono::nanoseconds cpu_at_last{0};
        int seen_running = 0;  // consecutive observations
        int seen_asleep = 0;   // consecutive observations
        bool sample_asked = false;
        time_point asked_at;
        bool reported = false;
        bool reminded = false;
        int index = -1;                        // of the event in the table; -1: not recorded
        blocking_class category{};             // of that event
        std::chrono::nanoseconds recorded{0};  // duration in the recorded event
        std::chrono::nanoseconds lasted{0};    // duration up to the last observation
        fiber_label fiber;
    };

    void begin_slice(std::uint64_t number, time_point now, bool busy);
    void end_slice();
    void examine(time_point now, int stack_signal);
    void examine_sleep(time_point now);
    void examine_work(time_point now, int stack_signal);
    void report_hog();
    void report(blocking_event& seen);
    void log_new_events();

    run_record record_;
    monitor shared_;
    report_queue& reports_;
    reporter reporter_;
    thread_probe probe_;
    std::atomic<bool> leaving_{false};
    std::binary_semaphore done_{0};
    time_point last_busy_;
    time_point changes_told_;
    slice slice_;
    bool in_slice_ = false;
    unsigned signals_sent_ = 0;
    int logged_ = 0;  // number of events of the table that are logged
};

}  // namespace coir::detail
