#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace detector {

/// The content of an ELF file's NT_GNU_BUILD_ID, which changes with each build of another program. Empty: unknown.
using build_id = std::vector<std::uint8_t>;

/// Whether the file is the one with this build id, so that its symbols and lines can be used. True if that is unknown:
/// without a build id, or when there is no such ELF file. Reads a file once.
[[nodiscard]] bool is_build_of(const std::string& path, const build_id& recorded);

}  // namespace detector
