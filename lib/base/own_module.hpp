#pragma once

#include <string>

namespace coir::detail {

/// The file that coir is linked into: the program, or a shared library such as a plugin. A process may have several
/// shared libraries with a copy of coir each.
namespace own_module {

/// Whether the module is the program itself.
[[nodiscard]] bool is_program() noexcept;

/// Whether the address lies in the module.
[[nodiscard]] bool contains(const void* address) noexcept;

/// The file name of the module, without its folder.
[[nodiscard]] std::string name();

/// Prevents dlclose(3) from unloading the module. Called before the creation of a thread that lives as long as the
/// process.
void keep_loaded() noexcept;

}  // namespace own_module

}  // namespace coir::detail
