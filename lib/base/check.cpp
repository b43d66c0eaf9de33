#include "base/check.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <execinfo.h>
#include <unistd.h>

namespace coir::detail {

constinit std::atomic<void (*)(int fd) noexcept> describe_running_fiber{nullptr};

void check_failed(const char* condition, const char* message, const char* file, int line) noexcept {
    ::dprintf(STDERR_FILENO, "coir: %s\n  (%s does not hold, %s:%d)\n", message, condition, file, line);
    if (const auto describe = describe_running_fiber.load(std::memory_order_relaxed)) describe(STDERR_FILENO);
    std::array<void*, 64> frames;
    ::backtrace_symbols_fd(frames.data(), ::backtrace(frames.data(), static_cast<int>(frames.size())), STDERR_FILENO);
    std::abort();
}

}  // namespace coir::detail
