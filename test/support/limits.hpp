#pragma once

#include <cstddef>

namespace coir::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// ThreadSanitizer hands a signal on only where it knows the thread to wait, and read(2) is not among those calls; it
/// then has all signals blocked, which a longjmp(3) out of the handler leaves so.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool defers_signals = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool defers_signals = true;
#else
inline constexpr bool defers_signals = false;
#endif
#else
inline constexpr bool defers_signals = false;
#endif

/// So a hog has no stack there, and none is found in a function.
inline constexpr bool hogs_have_stacks = !defers_signals;

/// Nor does its runtime leave it to the C++ library's to wait for what another thread initialises: it waits itself, and
/// its own system calls are not looked at.
inline constexpr bool waits_for_initialisers = defers_signals;

/// AddressSanitizer marks the frames of a function on the stack, and takes the marks away where a longjmp(3) leaves
/// frames: but out of a handler with a stack of its own, only on the stack that the thread began with, not on a
/// fiber's.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool marks_fibers_stacks = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool marks_fibers_stacks = true;
#else
inline constexpr bool marks_fibers_stacks = false;
#endif
#else
inline constexpr bool marks_fibers_stacks = false;
#endif

/// How many fibers a test may have parked at once: g++ 12's ThreadSanitizer dies at 8,128 of them.
inline constexpr std::size_t many_fibers = sanitized ? 3'500 : 20'000;

/// How long a test case may take.
inline constexpr unsigned seconds_until_hung = sanitized ? 200 : 60;

}  // namespace coir::test
