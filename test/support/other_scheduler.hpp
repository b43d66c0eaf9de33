#pragma once

#include <coir/run.hpp>
#include <coir/sync/event.hpp>
#include <coir/thread/scheduler_ref.hpp>

#include <future>
#include <thread>

namespace coir::test {

/// A thread that runs a scheduler until `end`, or until the destructor.
class other_scheduler {
public:
    explicit other_scheduler(const run_options& options = {})
        : thread_{[this, options] { coir::run(options, [this] { live(); }); }} {
        ref = known_.get_future().get();
    }
    ~other_scheduler() { end(); }
    other_scheduler(const other_scheduler&) = delete;
    other_scheduler& operator=(const other_scheduler&) = delete;

    /// Ends its first fiber, and returns when `run` has returned.
    void end() {
        if (!thread_.joinable()) return;
        ref.post([this] { over_->set(); });
        thread_.join();
    }

    [[nodiscard]] std::thread::id thread() const noexcept { return thread_.get_id(); }

    scheduler_ref ref;

private:
    void live() {
        event over;
        over_ = &over;
        known_.set_value(this_scheduler());
        over.wait();
    }

    event* over_ = nullptr;  // used in that thread only
    std::promise<scheduler_ref> known_;
    std::thread thread_;
};

}  // namespace coir::test
