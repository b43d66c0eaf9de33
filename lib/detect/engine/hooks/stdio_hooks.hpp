#pragma once

namespace coir::detail {

/// Does nothing. A reference to it links the object file with the hooks of <cstdio> into a program.
void link_stdio_hooks() noexcept;

}  // namespace coir::detail
