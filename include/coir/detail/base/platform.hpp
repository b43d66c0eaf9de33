#pragma once

// Checks that coir supports the platform. Every header includes this one before anything that would fail on other
// platforms, so that this error is the first one. CMake compiles this header first, with the same result.

#if !defined(__linux__)
#error "coir needs Linux: it waits with epoll"
#elif !defined(__LP64__)
#error "coir needs a 64-bit target (not -m32 or -mx32)"
#elif !defined(__x86_64__) && !defined(__aarch64__)
#error "coir supports only x86-64 and aarch64"
#elif __cplusplus < 202002L
#error "coir needs C++20: compile with -std=c++20 or later"
#endif

#include <features.h>

#if !defined(__GLIBC__)
#error "coir needs the GNU C library (glibc); musl and others are not supported"
#elif !__GLIBC_PREREQ(2, 34)
#error "coir needs glibc 2.34 or later"
#endif
