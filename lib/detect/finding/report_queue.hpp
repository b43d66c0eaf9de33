#pragma once

#include <coir/blocking.hpp>
#include <coir/detail/core/message.hpp>

#include <deque>
#include <functional>
#include <mutex>

namespace coir::detail {

class inbox;
class scheduler;

/// Brings the reports of a run from the watchdog's thread to the functions of the program that want them: `on_report`,
/// and then the listener of the process. They are called on the thread of the run, in a fiber of its own, as the hub runs
/// no user code; what is left is delivered by the destructor, after the end of the scheduler.
class report_queue : private message {
public:
    /// `on_report` must outlive the queue.
    explicit report_queue(const std::function<void(const blocking_report&)>& on_report)
        : message{start_fiber}, on_report_{on_report} {}
    ~report_queue();
    report_queue(const report_queue&) = delete;
    report_queue& operator=(const report_queue&) = delete;

    /// Before the first report. No fiber is started in a run with a seed: it would change the order of the others.
    void start_fibers_in(scheduler& run) noexcept;

    [[nodiscard]] bool has_readers() const noexcept;

    /// Whether the calling thread is in one of the functions.
    [[nodiscard]] static bool is_delivering() noexcept;

    /// Called on the watchdog's thread, while the scheduler exists.
    void push(blocking_report what);

    /// Calls the functions with what has arrived.
    void deliver();

private:
    static void start_fiber(message& self) noexcept;
    void call(const blocking_report& what) const;

    const std::function<void(const blocking_report&)>& on_report_;
    inbox* inbox_ = nullptr;  // null: no fibers are started

    std::mutex mutex_;  // protects the members below
    std::deque<blocking_report> waiting_;
    bool posted_ = false;  // to the hub; until a fiber has delivered all
    bool delivering_ = false;
};

}  // namespace coir::detail
