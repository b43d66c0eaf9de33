#pragma once

#include "detect/engine/capture.hpp"

#include <cstdint>

namespace coir::detail {

/// Captures the stack of another thread, from its stack pointer and program counter, without waking it. Reads the stack
/// through `read_memory`, since it may disappear meanwhile. The caller checks afterwards that the thread has not run.
///
/// The other registers of the thread are not known. A function that addresses its frame with a register that no inner
/// frame has saved (as at -O0, after a system call of glibc) is left through the return address of a call to it that
/// stands on the stack. Where the walk ends early, the stack has the frames up to there.
///
/// `is_interrupted`: the thread is at the instruction `pc`, not behind a system call.
void capture_sleeping(std::uintptr_t pc, std::uintptr_t sp, bool is_interrupted, call_stack& into);

}  // namespace coir::detail
