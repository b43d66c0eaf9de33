#pragma once

#include "detect/finding/wording.hpp"
#include "read/result.hpp"

#include <string>

namespace detector {

/// The line of the finding (`nearest_line`); if it has none, a module or the program itself. For formats that reject a
/// finding without a location.
[[nodiscard]] coir::detail::source_line some_line(const finding& what, const result& in);

/// The source line of a frame without its indentation, printable; empty if the file cannot be read. A relative file is
/// looked for in the current folder, then in `folder`. Only a file in `folder` is read, because a record may name any file.
[[nodiscard]] std::string excerpt_of(const frame& where, const std::string& folder);

}  // namespace detector
