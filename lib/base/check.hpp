#pragma once

#include <atomic>

/// Aborts if `condition` is false, and writes `message`, the name of the running fiber and the stack to stderr first.
/// Active in every build. The message says what the caller did wrong, or which invariant of lib/README.md is broken.
#define COIR_CHECK(condition, message)                                                                                 \
    (static_cast<bool>(condition) ? void() : ::coir::detail::check_failed(#condition, message, __FILE__, __LINE__))

/// The same for a check that costs more than the work that it guards: active in debug builds only.
#ifdef NDEBUG
#define COIR_DCHECK(condition, message) void()
#else
#define COIR_DCHECK(condition, message) COIR_CHECK(condition, message)
#endif

namespace coir::detail {

[[noreturn, gnu::cold]] void check_failed(const char* condition, const char* message, const char* file,
                                          int line) noexcept;

/// Writes to `fd` which fiber runs on the calling thread. May be called on any thread. A hook, since this layer cannot
/// depend on the scheduler, which sets it.
extern std::atomic<void (*)(int fd) noexcept> describe_running_fiber;

}  // namespace coir::detail
