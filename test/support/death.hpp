#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

namespace coir::test {

/// The status of a child process, and its output to stdout and stderr.
struct ending {
    int signal = 0;      // the signal that killed it; 0: none
    int exit_code = -1;  // -1 if a signal killed it
    std::string output;

    /// Whether it crashed: sanitizers turn a signal into their own exit code.
    [[nodiscard]] bool died() const noexcept { return signal != 0 || exit_code != 0; }
    [[nodiscard]] bool says(const std::string& text) const { return output.find(text) != std::string::npos; }
};

/// Runs `body` in a forked child: exit code 0 when it returns, 3 when it throws. Aborts after half a minute, and prints
/// the state of its fibers. Call it outside of a scheduler, in a process without threads other than those of offload.
ending in_child(const std::function<void()>& body);

/// In the body of a child: throws if `holds` is false. The child dies of it.
void require(bool holds, const std::string& what);

/// Waits for a child process. Returns its status as wait(2) does, or -1 if it is not a child of this process.
int status_of(pid_t child);

/// For a child that calls exit in a fiber: memory that its fibers still reference does not count as leaked.
void forget_leaks() noexcept;

}  // namespace coir::test
