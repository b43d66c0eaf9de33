#pragma once

#include <coir/blocking.hpp>

#include <string>

namespace coir::detail {

/// The report as one line of JSON, without a line end.
[[nodiscard]] std::string to_json(const blocking_report& report);

}  // namespace coir::detail
