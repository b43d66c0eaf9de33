#pragma once

#include "finding.hpp"

#include <string>

namespace detector {

/// Nested boxes, callers above their callees, as wide as the time that was lost there. Empty when none was.
[[nodiscard]] std::string flame_graph(const result& what);

}  // namespace detector
