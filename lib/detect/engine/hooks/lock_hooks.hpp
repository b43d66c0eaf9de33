#pragma once

#include <string>

namespace coir::detail {

/// Says that locks have no hooks in this build, and why; empty if they have. A reference to this function is what links
/// the object file with the hooks of locks into a program.
[[nodiscard]] std::string locks_without_hooks();

}  // namespace coir::detail
