#pragma once

#include <atomic>

/// States what must be true here; when it is not, says so on stderr with the fiber's name and the stack, and aborts.
/// On in every build. The message says what the caller did wrong, or which invariant of lib/README.md is broken.
#define COIR_CHECK(condition, message)                                                                                 \
    (static_cast<bool>(condition) ? void() : ::coir::detail::check_failed(#condition, message, __FILE__, __LINE__))

/// COIR_CHECK where the check costs more than the work it guards: on in debug builds only.
#ifdef NDEBUG
#define COIR_DCHECK(condition, message) void()
#else
#define COIR_DCHECK(condition, message) COIR_CHECK(condition, message)
#endif

namespace coir::detail {

[[noreturn, gnu::cold]] void check_failed(const char* condition, const char* message, const char* file,
                                          int line) noexcept;

/// Writes to `fd` which fiber runs on this thread. Set by the scheduler, which this layer does not know; any thread.
extern std::atomic<void (*)(int fd) noexcept> describe_running_fiber;

}  // namespace coir::detail
