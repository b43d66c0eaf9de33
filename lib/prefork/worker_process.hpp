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

/// A worker's process, as its parent sees it.
class worker_process {
public:
    using clock = std::chrono::steady_clock;

    enum class role : std::uint8_t {
        current,    // the one in its place
        successor,  // in a rolling restart, until it is ready
        retired,    // told to drain
    };

    /// What it and its child will need, before the fork. Throws `std::system_error`.
    worker_process(unsigned index, role as_what, bool tells_stats);

    /// In the parent, after the fork: which has until `limit` to be ready. Throws `std::system_error`.
    void has_begun(pid_t child, clock::time_point limit);

    /// The child's ends.
    [[nodiscard]] unique_fd take_ready_end() noexcept { return std::move(ready_end_); }
    [[nodiscard]] std::unique_ptr<shared_stats> take_stats() noexcept { return std::move(stats_); }

    [[nodiscard]] unsigned index() const noexcept { return index_; }
    [[nodiscard]] pid_t id() const noexcept { return id_; }
    /// "worker 2 (pid 123)"
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::chrono::milliseconds age() const;

    /// To be polled: readable when it has ended, and when there is news of its being ready.
    [[nodiscard]] int exit_descriptor() const noexcept { return end_.fd.get(); }
    [[nodiscard]] int ready_descriptor() const noexcept { return ready_pipe_.get(); }

    [[nodiscard]] bool is_ready() const noexcept { return ready_; }
    /// Whether it has become ready since it was last asked.
    [[nodiscard]] bool becomes_ready() noexcept;

    /// Asks it to drain, and to have ended at `limit`.
    void retire(clock::time_point limit) noexcept;
    void kill() noexcept;

    /// When it is to be killed: it was not ready, or has not drained, in time.
    [[nodiscard]] clock::time_point limit() const noexcept { return limit_; }

    /// How it has ended, for a log: "was killed by signal 11 (Segmentation fault)". Nothing while it has not.
    [[nodiscard]] std::optional<std::string> try_reap() noexcept;

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
