#pragma once

#include "detect/finding/wording.hpp"
#include "read/result.hpp"

namespace detector {

/// The line of the finding (`nearest_line`); if it has none, a module or the program itself. For formats that reject a
/// finding without a location.
[[nodiscard]] coir::detail::source_line some_line(const finding& what, const result& in);

}  // namespace detector
