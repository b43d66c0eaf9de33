#pragma once

// COIR_ASAN and COIR_TSAN are defined where this is compiled for AddressSanitizer or ThreadSanitizer. g++ says so by
// macros of its own, clang++ when it is asked.

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
