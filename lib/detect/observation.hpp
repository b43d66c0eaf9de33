#pragma once

#include "detect/monitor.hpp"
#include "detect/system_calls.hpp"

#include <optional>

namespace coir::detail {

/// A trapped system call, from before it to after: what came of it is told to the thread's monitor, if it wants to
/// know. For the handler of traps alone.
class observation {
public:
    explicit observation(const trapped_call& call);
    ~observation();
    observation(const observation&) = delete;
    observation& operator=(const observation&) = delete;

private:
    monitor* const by_;  // nullptr: nobody wants to know
    const trapped_call call_;
    call_model expected_;
    std::optional<outcome_of_call> outcome_;
};

/// The call that goes on after the handler may sleep until its child has begun another program.
void expect_judgement();

/// A run begins on this thread: what it remembers of the traps of an earlier one has no meaning.
void forget_traps() noexcept;

/// To be told at each trap, as the one before may have been for such a call.
void judge_last_pass();

}  // namespace coir::detail
