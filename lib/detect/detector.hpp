#pragma once

#include <coir/blocking.hpp>

#include "detect/trap.hpp"

#include <memory>
#include <optional>
#include <signal.h>
#include <string>

namespace coir::detail {

struct scheduler_status;
class watched_thread;

/// Looks for blocking on the calling thread while it lives, around a scheduler's `run`. Every report is delivered
/// before its destructor returns.
class attachment {
public:
    /// Throws `std::invalid_argument` for a malformed variable of the environment or line of suppressions, and
    /// `std::system_error` for a file that cannot be opened.
    attachment(scheduler_status& thread, const blocking_options& asked);
    ~attachment();
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;

private:
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
    std::unique_ptr<watched_thread> watched_;  // none with policy off
    std::optional<trap> trap_;                 // of the engine of that name
};

}  // namespace coir::detail
