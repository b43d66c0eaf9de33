#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace coir::detail {

/// Reads the whole file. Throws `std::system_error` with a message that begins with `purpose` and the path. Blocks the
/// thread.
[[nodiscard]] std::string read_file(const std::string& path, const std::string& purpose);

/// Opens a regular file for reading; empty for anything else. For paths that another program has chosen: opening a FIFO
/// would wait for a writer, and opening a device may have effects.
[[nodiscard]] unique_fd open_regular_file(const std::string& path) noexcept;

/// The content of a regular file of at most `bytes_max` bytes; none for anything else. For paths as above.
[[nodiscard]] std::optional<std::string> read_regular_file(const std::string& path, std::size_t bytes_max);

}  // namespace coir::detail
