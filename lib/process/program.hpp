#pragma once

#include <coir/process/environment.hpp>

#include "base/unique_fd.hpp"

#include <string>
#include <system_error>

/// Where a program is, and where it is to run. These calls block.
namespace coir::detail {

struct directory_opened {
    unique_fd fd;
    std::error_code failure;
};

/// One that may be entered (fchdir(2)).
directory_opened open_working_directory(const std::string& path);

struct program_found {
    std::string path;
    std::error_code failure;
};

/// The file that execve(2) is to be given for `name`: itself when it has a slash; else the first in the `PATH` of
/// `variables` that may be executed, as a shell looks for it. What is relative is so to `folder`, -1: to the working
/// directory.
program_found find_program(const std::string& name, const environment& variables, int folder);

}  // namespace coir::detail
