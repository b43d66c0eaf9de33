#pragma once

#include <string>
#include <string_view>

namespace coir::detail {

/// The demangled name. A name that is not mangled is returned unchanged.
[[nodiscard]] std::string demangle(const char* name);

/// Whether a function belongs to coir or the C++ standard library. Decided from the beginning of the mangled name,
/// which is the namespace. Excludes local functions of the user, such as a lambda in main.
[[nodiscard]] bool is_plumbing_function(std::string_view mangled) noexcept;

}  // namespace coir::detail
