#pragma once

#include <cstddef>

namespace coir::detail {

/// Whether memory that is mapped from a file can be written: a store to a page for which a full disk has no block is a
/// SIGBUS. Destroys the first eight bytes of the memory in each of its pages. `first` and `bytes` are multiples of
/// eight. Usable in signal handlers.
[[nodiscard]] bool is_backed(void* first, std::size_t bytes) noexcept;

}  // namespace coir::detail
