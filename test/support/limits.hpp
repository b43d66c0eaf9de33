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

/// ThreadSanitizer delivers a signal only in calls that it knows to block, and read(2) is not one of them. It then has
/// all signals blocked, and a longjmp(3) out of the handler does not restore the mask.
inline constexpr bool defers_signals = thread_sanitized;

/// Without the signal, reports of hogs have no stack, and name no function.
inline constexpr bool hogs_have_stacks = !defers_signals;

/// TSan's runtime also replaces the C++ library's wait for an initialisation by another thread with a wait of its own,
/// and its system calls are not examined.
inline constexpr bool waits_for_initialisers = defers_signals;

/// AddressSanitizer marks the frames of functions on the stack, and removes the marks when a longjmp(3) leaves the
/// frames. For a longjmp out of a handler on an alternate stack, it does so only on the thread's original stack, not on
/// a fiber's.
inline constexpr bool marks_fibers_stacks = address_sanitized;

/// The maximum number of parked fibers in a test: the ThreadSanitizer of g++ 12 crashes at 8,128.
inline constexpr std::size_t many_fibers = sanitized ? 3'500 : 20'000;

/// The number of random operations, per seed, on a primitive and its model.
inline constexpr int model_steps = sanitized ? 3'000 : 30'000;

/// The time limit of a test case.
inline constexpr unsigned seconds_until_hung = sanitized ? 200 : 60;

}  // namespace coir::test
