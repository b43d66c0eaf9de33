#pragma once

#include <coir/process/process.hpp>

#include <cstddef>
#include <string>
#include <sys/types.h>

namespace coir::test {

/// A shell that runs this script.
process shell(const std::string& script, process_options options = {});

/// One that runs until it is killed. `before` is what its shell does first; then it has begun.
process endless(const std::string& before = "");

/// What comes until the stream ends; up to the end of the line.
std::string read_all(io::reader& from);
std::string read_line(io::reader& from);

/// Whether there is such a process, be it a zombie.
bool is_there(pid_t process);

/// Whether this process has children, be they zombies.
bool has_children();

/// How many descriptors this process has open.
std::size_t open_descriptors();

}  // namespace coir::test
