#pragma once

/// @file
/// The requests to valgrind that coir makes, or stand-ins where valgrind's header is not installed.

// A test compiles a file with COIR_VALGRIND=0, as a machine without the header does.
#ifndef COIR_VALGRIND
#define COIR_VALGRIND __has_include(<valgrind/valgrind.h>)
#endif
#if COIR_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(begin, end) (static_cast<void>(begin), static_cast<void>(end), 0U)
#define VALGRIND_STACK_DEREGISTER(id) static_cast<void>(id)
#define RUNNING_ON_VALGRIND 0
#endif
