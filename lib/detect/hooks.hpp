#pragma once

#include <string_view>

namespace coir::detail {

/// Brings the hooks on the C library's blocking functions into the program. Returns which functions have none in this
/// program, and why; empty: all have.
[[nodiscard]] std::string_view install_hooks() noexcept;

}  // namespace coir::detail
