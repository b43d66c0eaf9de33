#pragma once

#include <string>
#include <string_view>

namespace coir::detail {

/// The demangled name. A name that is not mangled is returned unchanged.
[[nodiscard]] std::string demangle(const char* name);

/// The name as it stands in source code, from the name for the linker: demangled, without a symbol version
/// ("nanosleep@GLIBC_2.2.5"), without the optimiser's suffix ("f() [clone .isra.0]"), and with std::string for
/// std::basic_string<char>.
[[nodiscard]] std::string readable_name(std::string mangled);

/// The readable name without the lines of lambdas: "f()::{lambda at program.cpp:12}" becomes "f()::{lambda}". It stays
/// the same when code moves.
[[nodiscard]] std::string without_lambda_lines(std::string name);

/// Whether a function belongs to coir or the C++ standard library. Decided from the beginning of the mangled name,
/// which is the namespace. Excludes local functions of the user, such as a lambda in main.
[[nodiscard]] bool is_plumbing_function(std::string_view mangled) noexcept;

}  // namespace coir::detail
