#pragma once

#include <string>

namespace detector {

/// Which parts of the tool and the library work on this machine.
struct machine_report {
    std::string text;  // one line a part
    bool has_trap = false;
};

/// Tests each part. A test that may kill its process runs in a child process.
[[nodiscard]] machine_report check_machine();

}  // namespace detector
