#pragma once

#include "finding.hpp"

#include <set>
#include <string>

namespace detector {

/// All that is known, for programs and for `report` and `diff`.
[[nodiscard]] std::string to_json(const result& what);

/// A finding a line.
[[nodiscard]] std::string to_json_lines(const result& what);

/// What `to_json` has written. Throws `usage_error` for a file that cannot be read or has another form.
[[nodiscard]] result read_json(const std::string& path);

/// The findings that a file of `to_json` names: their fingerprints. Throws as `read_json`.
[[nodiscard]] std::set<std::string> read_baseline(const std::string& path);

/// A baseline of those findings.
[[nodiscard]] std::string to_baseline(const result& what);

}  // namespace detector
