#pragma once

#include "base/error_of_call.hpp"
#include "base/unique_fd.hpp"
#include "io/direct_file.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <sys/types.h>
#include <system_error>

/// @file
/// Blocking calls that the threads of the pool make for `io::file`. They do not use fibers.

namespace coir::detail {

struct file_opened {
    unique_fd fd;
    std::error_code failure;
};

/// Calls open(2), with O_CLOEXEC. Refuses pipes, sockets and directories.
file_opened open_file(const std::string& path, int flags, mode_t permissions);

/// Calls close(2), and returns its error.
std::error_code close_file(unique_fd& closed);

struct file_read {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t count = 0;
    std::error_code failure;
};

/// Reads `bytes` bytes; fewer only at the end of the file, or after an error.
file_read read_file_at(int fd, std::uint64_t offset, std::size_t bytes);

struct file_written {
    std::size_t count = 0;
    std::error_code failure;
};

/// Writes all bytes, unless there is an error. `cached` belongs to the file, for as long as it is open.
file_written write_file_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes, cached_file& cached);

struct file_size {
    std::uint64_t bytes = 0;
    std::error_code failure;
};

file_size size_of_file(int fd);

struct file_content {
    std::string content;
    std::error_code failure;
};

file_content read_whole_file(const std::string& path);

}  // namespace coir::detail
