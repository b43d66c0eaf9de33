#pragma once

namespace coir::detail {

/// Does nothing. A reference to it links the object file with the hooks of sockets, files and other descriptors into a
/// program.
void link_descriptor_hooks() noexcept;

}  // namespace coir::detail
