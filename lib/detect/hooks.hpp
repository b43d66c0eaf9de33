#pragma once

#include <string_view>

namespace coir::detail {

/// Which of the C library's functions that can sleep have no hook in this program, and why; empty: all have. The hooks
/// come into a program with this function, as its reference is what brings their object file in.
[[nodiscard]] std::string_view functions_without_hooks() noexcept;

}  // namespace coir::detail
