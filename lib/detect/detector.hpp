#pragma once

#include <coir/blocking.hpp>

#include "detect/engine/trap/trap.hpp"

#include <memory>
#include <optional>
#include <signal.h>
#include <string>

namespace coir::detail {

class report_queue;
class scheduler;
class watched_thread;

/// Detects blocking on the calling thread during its lifetime, which encloses a scheduler's `run`. Its destructor waits
/// until all reports are in the queue.
class attachment {
public:
    /// Throws `std::invalid_argument` for a malformed environment variable or suppression rule, and `std::system_error`
    /// for a file that cannot be opened. If the watchdog cannot be started, logs a warning and detects nothing.
    attachment(scheduler& run, const blocking_options& requested, report_queue& reports);
    ~attachment();
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;

private:
    attachment() noexcept = default;

    class signal_stack {
    public:
        signal_stack();
        ~signal_stack();
        signal_stack(const signal_stack&) = delete;
        signal_stack& operator=(const signal_stack&) = delete;

    private:
        stack_t ours_{};
        stack_t before_{};
    };

    [[nodiscard]] std::string missing() const;

    std::unique_ptr<signal_stack> handlers_stack_;
    std::unique_ptr<watched_thread> watched_;  // null when detection is off
    std::optional<trap> trap_;                 // for `blocking_engine::trap`
};

}  // namespace coir::detail
