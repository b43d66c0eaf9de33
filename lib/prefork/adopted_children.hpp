#pragma once

#include <functional>
#include <sys/types.h>
#include <vector>

namespace coir::detail {

/// Reaps the processes that this process adopts as process 1 of a container, or as a "child subreaper" (prctl(2)): those
/// whose own parent ended before them. They would stay zombies. Leaves alone the children that the program has started
/// itself, before or in `call`, and those of other threads: other code waits for these.
class adopted_children {
public:
    /// All present children count as the program's own.
    adopted_children();

    /// Whether this process adopts any.
    [[nodiscard]] bool are_expected() const noexcept { return are_expected_; }

    /// Calls a function of the program. Children that begin during the call count as the program's own.
    void call(const std::function<void()>& function);

    /// Reaps those that have ended, except children for which `is_own` returns true. Never waits.
    void reap_exited(const std::function<bool(pid_t)>& is_own);

private:
    const bool are_expected_;
    std::vector<pid_t> programs_own_;  // sorted
};

}  // namespace coir::detail
