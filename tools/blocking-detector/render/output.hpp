#pragma once

#include <string>
#include <string_view>

namespace detector {

/// Writes the file completely or not at all: writes a temporary file beside it, and renames that. A file that is replaced
/// keeps its permissions. A file that is not a regular one is written directly. Throws `std::system_error`, which names
/// the file; then no temporary file is left.
void write_file(const std::string& path, std::string_view text);

/// Writes to standard output. Throws `std::system_error`.
void write_out(std::string_view text);

}  // namespace detector
