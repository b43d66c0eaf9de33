#pragma once

#include "detect/finding/finding.hpp"

#include <string>

namespace coir::detail {

/// The version of the lines below, in each of them.
inline constexpr int json_version = 2;

/// The finding as one line of JSON (RFC 8259) without a newline at the end: valid UTF-8, whatever the names hold.
/// `COIR_BLOCKING_REPORT` and blocking-detector write the same lines.
[[nodiscard]] std::string to_json(const finding& what);

}  // namespace coir::detail
