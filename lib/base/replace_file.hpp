#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <system_error>

namespace coir::detail {

/// Writes a new file, synchronises it to disk, and renames it to `path`. The new file has the access rights of the old
/// one. After an error the old file is unchanged, and there is no new one. Blocks the thread.
std::error_code replace_file(const std::string& path, std::span<const std::byte> content);

}  // namespace coir::detail
