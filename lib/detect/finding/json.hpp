#pragma once

#include <coir/blocking.hpp>

#include <string>

namespace coir::detail {

/// Formats the report as one line of JSON, without a newline at the end.
[[nodiscard]] std::string to_json(const blocking_report& report);

}  // namespace coir::detail
