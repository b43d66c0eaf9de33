#pragma once

#include <stdexcept>

namespace detector {

/// The exit status of the tool, unless it returns that of the program.
enum exit_code : int {
    exit_ok = 0,
    exit_usage = 64,      // error in the command line or in a file named there
    exit_findings = 66,   // fibers held their thread
    exit_no_engine = 69,  // or no run of coir was seen
    exit_internal = 70,   // a report could not be written, or the tool itself failed
    exit_timeout = 124,
    exit_not_executable = 126,  // the values that a shell uses
    exit_not_found = 127,
};

/// An error of the user. The tool exits with `exit_usage`.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace detector
