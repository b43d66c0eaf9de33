#pragma once

#include <coir/process/environment.hpp>

#include "base/unique_fd.hpp"

#include <string>
#include <system_error>

/// @file
/// Finds the file of a program, and opens its working directory. These calls block.

namespace coir::detail {

struct directory_opened {
    unique_fd fd;
    std::error_code failure;
};

/// Opens a directory, if this process may enter it (fchdir(2)).
directory_opened open_working_directory(const std::string& path);

struct program_found {
    std::string path;
    std::error_code failure;
};

/// The path to pass to execve(2) for `name`. A name with a slash is used as it is. Otherwise it is the first executable
/// file of that name in the directories of `PATH` in `variables`, as a shell searches. Relative paths are relative to
/// the directory `folder`, or to the working directory if it is -1.
program_found find_program(const std::string& name, const environment& variables, int folder);

}  // namespace coir::detail
