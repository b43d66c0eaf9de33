#pragma once

#include "detect/calls/system_calls.hpp"
#include "detect/engine/monitor.hpp"

#include <optional>

namespace coir::detail {

/// Observes a trapped system call, from its construction before the call to its destruction after it, and records the
/// event with the thread's monitor. Only in the SIGSYS handler.
class observation {
public:
    explicit observation(const trapped_call& call);

    /// For a call by int $0x80. It is recorded if it has slept for a long time, as coir does not know what it waits for.
    struct by_int80 {};
    explicit observation(by_int80);

    ~observation();
    observation(const observation&) = delete;
    observation& operator=(const observation&) = delete;

private:
    [[nodiscard]] call_name name() const noexcept;

    monitor* const watcher_;  // nullptr: the call is not watched
    const trapped_call call_;
    call_model expected_;
    std::optional<outcome_of_call> outcome_;
};

/// Begins the observation of a passed call: one that the fiber makes on its own stack after the handler
/// (`trapped_fiber::pass_to_fiber`), and that may sleep until its child process runs another program.
void begin_passed_call();

/// At the begin of a run: discards the thread's state from the traps of an earlier run.
void reset_trap_memory() noexcept;

/// At each trap: ends the observation of an earlier passed call, if there was one.
void end_passed_call();

}  // namespace coir::detail
