#pragma once

#include <cstddef>

namespace coir::detail {

/// Copies memory that may be gone by now: false then. The kernel does it, by a pipe, which needs no privilege and no
/// newer system call. At most 4,096 bytes (PIPE_BUF).
bool read_memory(void* into, const void* from, std::size_t bytes) noexcept;

}  // namespace coir::detail
