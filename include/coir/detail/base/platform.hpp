#pragma once

// What coir runs on. Every header includes this before anything that would fail elsewhere, so that the first error has
// these words. CMake compiles it before anything else, with the same result.

#if !defined(__linux__)
#error "coir needs Linux: it waits with epoll"
#elif !defined(__LP64__)
#error "coir needs a program of 64 bits (not -m32 or -mx32)"
#elif !defined(__x86_64__) && !defined(__aarch64__)
#error "coir supports x86-64 and aarch64, and no other processor"
#elif __cplusplus < 202002L
#error "coir needs C++20: compile with -std=c++20 or later"
#endif

#include <features.h>

#if !defined(__GLIBC__)
#error "coir needs the GNU C library (glibc); musl and others are not supported"
#elif !__GLIBC_PREREQ(2, 34)
#error "coir needs glibc 2.34 or later"
#endif
