#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <sys/types.h>

/// @file
/// Calls for files that may have O_DIRECT. With that flag, most file systems answer EINVAL unless the memory, the offset
/// and the length of a transfer are multiples of a block (open(2)). The functions below accept any.

namespace coir::detail {

/// A second description of an open file with O_DIRECT, without that flag: for writes of incomplete blocks. Opened when
/// it is first needed, and kept: closing it would release the locks of the process on that file (fcntl(2)).
class cached_file {
public:
    /// The descriptor for the file that `direct` refers to; -1 if it cannot be opened (no /proc). Any thread.
    [[nodiscard]] int of(int direct) noexcept;

private:
    std::mutex mutex_;
    unique_fd fd_;
};

/// As pread(2). Throws `std::bad_alloc`.
ssize_t read_some_at(int fd, std::uint64_t offset, std::span<std::byte> into);

/// As pwrite(2). With O_DIRECT, anything but complete blocks is written through `cached`. Throws `std::bad_alloc`.
ssize_t write_some_at(int fd, std::uint64_t offset, std::span<const std::byte> from, cached_file& cached);

}  // namespace coir::detail
