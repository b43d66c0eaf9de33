#pragma once

#include "base/sanitizers.hpp"

#include <cstddef>

namespace coir::test {

#if defined(COIR_ASAN)
inline constexpr bool address_sanitized = true;
#else
inline constexpr bool address_sanitized = false;
#endif
#if defined(COIR_TSAN)
inline constexpr bool thread_sanitized = true;
#else
inline constexpr bool thread_sanitized = false;
#endif
inline constexpr bool sanitized = address_sanitized || thread_sanitized;

/// ThreadSanitizer hands a signal on only where it knows the thread to wait, and read(2) is not among those calls; it
/// then has all signals blocked, which a longjmp(3) out of the handler leaves so.
inline constexpr bool defers_signals = thread_sanitized;

/// So a hog has no stack there, and none is found in a function.
inline constexpr bool hogs_have_stacks = !defers_signals;

/// Nor does its runtime leave it to the C++ library's to wait for what another thread initialises: it waits itself, and
/// its own system calls are not looked at.
inline constexpr bool waits_for_initialisers = defers_signals;

/// AddressSanitizer marks the frames of a function on the stack, and takes the marks away where a longjmp(3) leaves
/// frames: but out of a handler with a stack of its own, only on the stack that the thread began with, not on a
/// fiber's.
inline constexpr bool marks_fibers_stacks = address_sanitized;

/// How many fibers a test may have parked at once: g++ 12's ThreadSanitizer dies at 8,128 of them.
inline constexpr std::size_t many_fibers = sanitized ? 3'500 : 20'000;

/// How many random operations a primitive and a model of it are put through, for each seed.
inline constexpr int model_steps = sanitized ? 3'000 : 30'000;

/// How long a test case may take.
inline constexpr unsigned seconds_until_hung = sanitized ? 200 : 60;

}  // namespace coir::test
