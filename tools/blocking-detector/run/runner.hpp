#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace detector {

/// How a program ended.
struct run_ending {
    pid_t pid = 0;
    int status = 0;  // exit status as in a shell: 128+n if signal n has killed the program
    bool timed_out = false;
    std::int64_t when = 0;           // CLOCK_MONOTONIC, ns
    std::vector<pid_t> survivors{};  // processes that the program has started, and that still run
};

/// Runs a program, searched in PATH, with the environment variables `variables`, and waits for its end. After `timeout`
/// sends SIGTERM to the program, and three seconds later SIGKILL; then kills all processes that it has started, too.
/// Otherwise waits for these processes for `patience`, or until a signal arrives, and leaves alone what runs then.
/// Forwards SIGINT, SIGTERM, SIGHUP and SIGQUIT to the program. Throws `std::system_error` when it cannot be started.
/// The calling process must have no other threads and no other children.
[[nodiscard]] run_ending run_program(const std::vector<std::string>& program,
                                     const std::vector<std::pair<std::string, std::string>>& variables,
                                     std::optional<std::chrono::nanoseconds> timeout,
                                     std::chrono::nanoseconds patience = {});

}  // namespace detector
