#pragma once

#include "base/call_stack.hpp"
#include "core/task/task.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace coir::detail {

/// The stack of a fiber of the calling thread's scheduler; empty if the fiber has not run yet. `runs`: the caller is the
/// fiber itself.
call_stack stack_of(const task& fiber, bool runs);

/// How many bytes of its stack a suspended fiber uses.
[[nodiscard]] std::size_t stack_bytes_used(const task& fiber) noexcept;

/// A line for each function of the program in the stack, innermost first, and for library functions between them:
/// "function at file:line". Empty if there is none: a function that waits at its very end may have left the stack.
std::vector<std::string> describe_stack(const call_stack& stack);

}  // namespace coir::detail
