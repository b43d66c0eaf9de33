#pragma once

#include <coir/blocking.hpp>

#include "detect/monitor.hpp"
#include "detect/record_file.hpp"
#include "detect/reporter.hpp"
#include "detect/thread_probe.hpp"

#include <chrono>
#include <cstdint>
#include <semaphore>

namespace coir::detail {

/// A thread that runs fibers, as the watchdog knows it. Made on that thread; used by the watchdog's.
class watched_thread {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Throws what `record_file` and `reporter` throw.
    watched_thread(scheduler_status& thread, settings how, wakeup_semaphore& watchdog);

    [[nodiscard]] monitor& shared() noexcept { return shared_; }

    /// How often to look.
    [[nodiscard]] std::chrono::nanoseconds interval() const noexcept;

    /// Judges the slice that runs, and logs what the hooks have seen. `stack_signal` makes the thread leave its stack;
    /// 0: none is to be had.
    void look(time_point now, int stack_signal);

    /// When a fiber was last seen to run.
    [[nodiscard]] time_point last_busy() const noexcept { return last_busy_; }

    /// Delivers all reports.
    void finish();

    /// The watchdog has let go; the thread itself waits for that.
    void let_go() noexcept { done_.release(); }
    void wait_for_let_go() noexcept { done_.acquire(); }

private:
    /// A stretch of time in which one fiber holds the thread.
    struct slice {
        std::uint64_t number = 0;
        time_point began;
        std::chrono::nanoseconds cpu_at_begin{0};
        std::chrono::nanoseconds cpu_at_last{0};
        int seen_running = 0;  // in a row
        int seen_asleep = 0;   // in a row
        bool sample_asked = false;
        time_point asked_at;
        bool reported = false;
        bool reminded = false;
        int index = -1;                      // of its report in the table
        std::chrono::nanoseconds said{0};    // how long, as the report has it
        std::chrono::nanoseconds lasted{0};  // as far as was seen
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

    record_file record_;
    monitor shared_;
    reporter book_;
    thread_probe probe_;
    std::binary_semaphore done_{0};
    time_point last_busy_;
    slice slice_;
    bool in_slice_ = false;
    int logged_ = 0;  // of the table
};

}  // namespace coir::detail
