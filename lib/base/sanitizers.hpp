#pragma once

/// @file
/// Defines COIR_ASAN or COIR_TSAN in a build with AddressSanitizer or ThreadSanitizer. g++ predefines a macro for each;
/// clang++ has __has_feature.

#if defined(__SANITIZE_ADDRESS__)
#define COIR_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define COIR_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(COIR_ASAN)
#define COIR_ASAN 1
#endif
#if __has_feature(thread_sanitizer) && !defined(COIR_TSAN)
#define COIR_TSAN 1
#endif
#endif
