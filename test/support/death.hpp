#pragma once

#include <functional>
#include <string>

namespace coir::test {

/// How a child process ended, and what it wrote to stdout and stderr.
struct ending {
    int signal = 0;      // that killed it; 0: none
    int exit_code = -1;  // when no signal did
    std::string output;

    /// Whether it came to grief at all: a sanitizer turns a signal into an exit code of its own.
    [[nodiscard]] bool died() const noexcept { return signal != 0 || exit_code != 0; }
    [[nodiscard]] bool says(const std::string& text) const { return output.find(text) != std::string::npos; }
};

/// Runs `body` in a forked child: exit code 0 when it returns, 3 when it throws. Aborts after half a minute, and says
/// where its fibers stand. The calling process must have one thread, besides those of offload: it is
/// for the outside of a scheduler.
ending in_child(const std::function<void()>& body);

/// In a child that calls exit in a fiber: what its fibers still have is no leak.
void forget_leaks() noexcept;

}  // namespace coir::test
