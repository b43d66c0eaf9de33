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
    int status = 0;  // as a shell says it: 128+n when signal n has ended it
    bool timed_out = false;
    std::int64_t when = 0;  // CLOCK_MONOTONIC, ns
};

/// Runs a program, found as a shell finds it, with these variables set, until it ends or `timeout` is over: then
/// SIGTERM ends it, or SIGKILL with all that it has started. SIGINT, SIGTERM, SIGHUP and SIGQUIT that come meanwhile
/// are passed on. Throws `std::system_error` when it cannot be started. The calling process has no other thread and no
/// other child.
[[nodiscard]] run_ending run_program(const std::vector<std::string>& program,
                                     const std::vector<std::pair<std::string, std::string>>& variables,
                                     std::optional<std::chrono::nanoseconds> timeout);

}  // namespace detector
