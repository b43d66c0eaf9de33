#pragma once

#include "read/finding.hpp"

#include <set>
#include <string>

namespace detector {

/// The complete result, for other programs and for the commands `report` and `diff`.
[[nodiscard]] std::string to_json(const result& what);

/// The findings alone, one a line.
[[nodiscard]] std::string to_json_lines(const result& what);

/// Reads a file that `to_json` has written. Throws `usage_error` for a file that cannot be read or is malformed.
[[nodiscard]] result read_json(const std::string& path);

/// The fingerprints in a file that `to_baseline` or `to_json` has written. Throws the same errors as `read_json`.
[[nodiscard]] std::set<std::string> read_baseline(const std::string& path);

/// A baseline that contains the findings of `what`.
[[nodiscard]] std::string to_baseline(const result& what);

}  // namespace detector
