#pragma once

#include <coir/process/process.hpp>

#include <cstddef>
#include <string>
#include <sys/types.h>

namespace coir::test {

/// Starts a shell that runs this script.
process shell(const std::string& script, process_options options = {});

/// Starts a process that runs until it is killed. Its shell runs `before` first, and this function waits for that.
process endless(const std::string& before = "");

/// Reads to the end of the stream; read_line reads to the end of the line.
std::string read_all(io::reader& from);
std::string read_line(io::reader& from);

/// Whether the process exists, possibly as a zombie.
bool is_there(pid_t process);

/// Whether this process has children, including zombies.
bool has_children();

/// The number of open descriptors of this process.
std::size_t open_descriptors();

}  // namespace coir::test
