#pragma once

#include <string>

namespace coir::detail {

/// Which calls of the C library's functions that can sleep no hook sees in this program, and why; empty: all are seen.
/// The hooks come into a program with this function, as its reference is what brings their object file in.
[[nodiscard]] std::string calls_without_hooks();

}  // namespace coir::detail
