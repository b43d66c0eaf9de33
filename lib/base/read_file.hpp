#pragma once

#include <string>

namespace coir::detail {

/// All of a file's bytes. Throws `std::system_error`, whose text begins with `purpose` and the path.
[[nodiscard]] std::string read_file(const std::string& path, const std::string& purpose);

}  // namespace coir::detail
