#pragma once

#include <string>

namespace coir::detail {

/// Names the calls of C library functions that no hook sees in this program, and the reason. Empty if hooks see all.
/// A reference to this function is what links the object file with the hooks into a program.
[[nodiscard]] std::string calls_without_hooks();

}  // namespace coir::detail
