#pragma once

#include "base/unique_fd.hpp"
#include "prefork/shared_stats.hpp"
#include "process/exit_watcher.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

namespace coir::detail {

/// "80 ms", "3 s", "2 min".
std::string in_words(std::chrono::milliseconds duration);

/// The parent's record of one worker process.
class worker_process {
public:
    using clock = std::chrono::steady_clock;

    enum class role : std::uint8_t {
        current,    // the worker that serves under its index
        successor,  // started by a rolling restart and not yet ready
        retired,    // asked to drain
    };

    /// Before the fork: creates the pipe and, if `shares_stats`, the shared memory between parent and child.
    /// Throws `std::system_error`.
    worker_process(unsigned index, role as_what, bool shares_stats);

    /// In the parent, after the fork. The child must be ready before `limit`. Throws `std::system_error`.
    void set_started(pid_t child, clock::time_point limit);

    /// In the child: its end of the pipe and its statistics.
    [[nodiscard]] unique_fd take_ready_end() noexcept { return std::move(ready_end_); }
    [[nodiscard]] std::unique_ptr<shared_stats> take_stats() noexcept { return std::move(stats_); }

    [[nodiscard]] unsigned index() const noexcept { return index_; }
    [[nodiscard]] pid_t id() const noexcept { return id_; }
    /// "worker 2 (pid 123)"
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::chrono::milliseconds age() const;

    /// Descriptors to poll: readable when the process has ended, or when `take_ready_notice` has something to read.
    [[nodiscard]] int exit_descriptor() const noexcept { return end_.fd.get(); }
    [[nodiscard]] int ready_descriptor() const noexcept { return ready_pipe_.get(); }

    [[nodiscard]] bool is_ready() const noexcept { return ready_; }
    /// Whether the worker has become ready since the last call. Never waits.
    [[nodiscard]] bool take_ready_notice() noexcept;

    /// Sends SIGTERM: the worker drains, and must have ended at `limit`.
    void retire(clock::time_point limit) noexcept;
    void kill() noexcept;

    /// When the supervisor kills the process, because it is not ready or not drained by then.
    [[nodiscard]] clock::time_point limit() const noexcept { return limit_; }

    /// Describes for the log how the process ended: "was killed by signal 11 (Segmentation fault)". Empty while it
    /// runs. Never waits.
    [[nodiscard]] std::optional<std::string> try_reap();

    [[nodiscard]] std::optional<scheduler_stats> stats() const noexcept {
        return stats_ != nullptr ? stats_->read() : std::nullopt;
    }

    role as;

private:
    unsigned index_;
    pid_t id_ = 0;
    bool ready_ = false;
    clock::time_point began_{};
    clock::time_point limit_ = clock::time_point::max();
    exit_watcher end_{};
    unique_fd ready_pipe_;
    unique_fd ready_end_;
    std::unique_ptr<shared_stats> stats_;
};

}  // namespace coir::detail
