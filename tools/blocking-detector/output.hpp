#pragma once

#include <string>
#include <string_view>

namespace detector {

/// Writes all of a file, or none: to a temporary one beside it first, which then takes its place. What is no regular
/// file is written to as it is. Throws `std::system_error` that names it, and leaves nothing behind.
void write_file(const std::string& path, std::string_view text);

/// To standard output. Throws `std::system_error`.
void write_out(std::string_view text);

}  // namespace detector
