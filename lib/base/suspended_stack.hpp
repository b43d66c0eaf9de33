#pragma once

#include "base/call_stack.hpp"
#include "base/frame_rules.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace coir::detail {

/// The registers of a suspended flow of control, by their DWARF numbers. Empty where the value is not known.
using known_registers = std::array<std::optional<std::uintptr_t>, frame_rules::registers_max>;

#if defined(__x86_64__)
constexpr unsigned stack_pointer = 7;
#elif defined(__aarch64__)
constexpr unsigned stack_pointer = 31;
#endif

/// Captures the stack of a flow that does not run: a parked fiber, or another thread, which is not woken. The stack
/// pointer must be known. Reads the stack through `read_memory`, since that of a thread may disappear meanwhile; the
/// caller checks afterwards that the thread has not run.
///
/// A function that addresses its frame with a register whose value is not known (as at -O0, in a thread, after a system
/// call of glibc) is left through the return address of a call to it that stands on the stack. Where the walk ends early,
/// the stack has the frames up to there.
///
/// `is_interrupted`: the flow is at the instruction `pc`, not behind a call.
void capture_suspended(std::uintptr_t pc, known_registers registers, bool is_interrupted, call_stack& into);

}  // namespace coir::detail
