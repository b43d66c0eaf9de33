#pragma once

#include <string>

namespace detector {

/// What of the tool and the library works on this machine.
struct machine_report {
    std::string text;  // a line for each
    bool has_trap = false;
};

/// Tries each of them, in child processes where that could do harm.
[[nodiscard]] machine_report check_machine();

}  // namespace detector
