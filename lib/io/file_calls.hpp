#pragma once

#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <sys/types.h>
#include <system_error>

/// What the threads of the pool do for `io::file`: it blocks, and knows nothing of fibers.
namespace coir::detail {

/// Of a call that returns -1 and sets errno.
inline std::error_code error_of_call(long result) noexcept {
    return result < 0 ? std::error_code{errno, std::system_category()} : std::error_code{};
}

struct file_opened {
    unique_fd fd;
    std::error_code failure;
};

/// open(2), closed on exec; what is a pipe, a socket or a directory is refused.
file_opened open_file(const std::string& path, int flags, mode_t permissions);

/// close(2), and its failure.
std::error_code close_file(unique_fd& closed);

struct file_read {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t count = 0;
    std::error_code failure;
};

/// All of these bytes, or less at the end of the file.
file_read read_file_at(int fd, std::uint64_t offset, std::size_t bytes);

struct file_written {
    std::size_t count = 0;
    std::error_code failure;
};

/// All of it, but for a failure.
file_written write_file_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes);

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

/// A new file, synchronised, in the place of the old one.
std::error_code replace_file(const std::string& path, std::span<const std::byte> content);

}  // namespace coir::detail
