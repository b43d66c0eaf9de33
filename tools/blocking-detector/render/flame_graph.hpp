#pragma once

#include "read/result.hpp"

#include <string>

namespace detector {

/// HTML with nested boxes, callers above their callees, each as wide as its share of the time. Empty if no time was
/// lost.
[[nodiscard]] std::string flame_graph(const result& what);

}  // namespace detector
