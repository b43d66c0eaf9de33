#pragma once

#include <string>

namespace coir::detail {

/// The file that coir is linked into: the program, or a shared library such as a plugin, which may be one of several in
/// the process that have a coir each.
namespace own_module {

/// Whether that is the program itself.
[[nodiscard]] bool is_program() noexcept;

/// Whether the address lies in it.
[[nodiscard]] bool contains(const void* address) noexcept;

/// Its file name without the folder.
[[nodiscard]] std::string name();

/// From here on dlclose(3) leaves it where it is. Called before a thread is made that lives as long as the process.
void keep_loaded() noexcept;

}  // namespace own_module

}  // namespace coir::detail
