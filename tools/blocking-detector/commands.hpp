#pragma once

#include "options.hpp"

namespace detector {

/// Does what the command line asks for; how the tool ends. Throws `usage_error`, and `std::system_error` when a report
/// cannot be written.
[[nodiscard]] int carry_out(const options& asked);

}  // namespace detector
