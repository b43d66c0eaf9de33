#pragma once

#include <stdexcept>

namespace detector {

/// How the tool ends when it does not end as the program did.
enum exit_code : int {
    exit_ok = 0,
    exit_usage = 64,     // the command line, or a file that it names, makes no sense
    exit_findings = 66,  // fibers held their thread
    exit_no_engine = 69,
    exit_internal = 70,  // a report could not be written, or worse
    exit_timeout = 124,
    exit_not_executable = 126,  // as a shell says it
    exit_not_found = 127,
};

/// What the user asked for makes no sense: ends with `exit_usage`.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace detector
