#pragma once

#include "core/switch/signal_stack.hpp"

#include <optional>

namespace coir::detail {

/// While one exists, a fiber of the calling thread that overflows its stack is named on standard error, with the place in
/// the program and the option that gives it a larger stack, before the fault takes its usual course: the program's own
/// handler, or death by SIGSEGV with a core that shows the fiber. Handles SIGSEGV for that, on an alternate signal stack.
/// Other faults go to the handler that was there before.
///
/// The first line is written by async-signal-safe code. A second one, with function and file, comes from a child process
/// (`unseen_child`), which has two seconds: it needs the locks of malloc, which the fiber may hold.
///
/// Sanitizers report stack overflows themselves: does nothing in their builds.
class stack_overflow_explained {
public:
    explicit stack_overflow_explained(bool wanted) noexcept;
    ~stack_overflow_explained();
    stack_overflow_explained(const stack_overflow_explained&) = delete;
    stack_overflow_explained& operator=(const stack_overflow_explained&) = delete;

private:
    std::optional<signal_stack> stack_;  // empty if nothing is explained
};

}  // namespace coir::detail
