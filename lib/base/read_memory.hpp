#pragma once

#include <cstddef>

namespace coir::detail {

/// Copies memory that may no longer be mapped; returns false if it is not. The kernel copies through a pipe, which
/// needs no privilege and no recent system call. At most 4,096 bytes (PIPE_BUF).
bool read_memory(void* into, const void* from, std::size_t bytes) noexcept;

}  // namespace coir::detail
