#pragma once

#include "faults/child.hpp"

#include <string>
#include <vector>

namespace coir::faults {

/// An exception, or a member of an `exception_group`.
struct failure {
    int code = 0;  // of a std::system_error; ENOMEM for std::bad_alloc
    std::string text;
};

struct judged_run {
    bool returned = false;
    bool foreign = false;  // see injection
    std::string result;
    std::vector<failure> errors;
    std::string descriptors;
};

/// Runs the program in this process, with the fault.
judged_run run_judged(const program& of, const std::string& folder, injection& injected);

/// What was wrong; empty: nothing.
std::string judge(const judged_run& run, const expectation& expected, const fault& planned, const std::string& log);

}  // namespace coir::faults
