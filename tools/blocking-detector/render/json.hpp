#pragma once

#include "read/result.hpp"

#include <string>

namespace detector {

/// All details, for programs and for `report` and `diff`.
[[nodiscard]] std::string to_json(const result& what);

/// The same findings, one a line, as COIR_BLOCKING_REPORT has them.
[[nodiscard]] std::string to_json_lines(const result& what);

}  // namespace detector
