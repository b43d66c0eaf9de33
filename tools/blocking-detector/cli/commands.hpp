#pragma once

#include "cli/options.hpp"

namespace detector {

/// Executes the command and returns the exit status of the tool. Throws `usage_error`, and `std::system_error` when a
/// report cannot be written.
[[nodiscard]] int carry_out(const options& requested);

}  // namespace detector
