#pragma once

#include <cstddef>

namespace coir::detail {

/// Whether the kernel could read the memory, so that a system call that is given it does not fail with EFAULT. Another
/// thread may unmap it afterwards. Async-signal-safe, preserves errno; one system call a page.
[[nodiscard]] bool is_readable(const void* first, std::size_t bytes) noexcept;

}  // namespace coir::detail
