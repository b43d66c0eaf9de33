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

/// How many fibers a test may have parked at once: g++ 12's ThreadSanitizer dies at 8,128 of them.
inline constexpr std::size_t many_fibers = sanitized ? 3'500 : 20'000;

/// How long a test case may take.
inline constexpr unsigned seconds_until_hung = sanitized ? 200 : 60;

}  // namespace coir::test
