#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <sys/types.h>

/// @file
/// Files with O_DIRECT. Most file systems answer EINVAL unless the memory, the offset and the length of a transfer are
/// multiples of a block (open(2)). The functions below accept any; they block, and set errno like pread(2).

namespace coir::detail {

/// The block size of a file with O_DIRECT; 0 for other files. O_DIRECT may have been set after the file was opened.
[[nodiscard]] std::size_t direct_block_bytes(int fd) noexcept;

/// Reads the blocks that contain the bytes, and copies these.
ssize_t read_blocks(int fd, std::size_t block_bytes, std::span<std::byte> into, std::uint64_t offset);

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

/// Writes complete blocks from aligned memory, and anything else through the page cache.
ssize_t write_blocks(int fd, std::size_t block_bytes, std::span<const std::byte> from, std::uint64_t offset,
                     cached_file& cached);

}  // namespace coir::detail
