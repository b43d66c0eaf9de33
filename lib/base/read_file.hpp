#pragma once

#include <string>

namespace coir::detail {

/// Reads the whole file. Throws `std::system_error` with a message that begins with `purpose` and the path. Blocks the
/// thread.
[[nodiscard]] std::string read_file(const std::string& path, const std::string& purpose);

}  // namespace coir::detail
