#pragma once

#include <string>
#include <string_view>

namespace coir::detail {

/// As the source has it; a name that is not mangled as it is.
[[nodiscard]] std::string demangle(const char* name);

/// Whether a function belongs to coir or the C++ library: by the mangled name, whose beginning is the namespace; what a
/// lambda of the user's main is called begins otherwise.
[[nodiscard]] bool is_plumbing_function(std::string_view mangled) noexcept;

}  // namespace coir::detail
