#include "io/file_calls.hpp"

#include <algorithm>
#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

std::error_code refusal_of(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return last_error();
    if (S_ISDIR(about.st_mode)) return std::make_error_code(std::errc::is_a_directory);
    if (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)) return std::make_error_code(std::errc::invalid_argument);
    return {};
}

}  // namespace

file_opened open_file(const std::string& path, int flags, mode_t permissions) {
    // O_NONBLOCK: opening a FIFO must not wait for its other end. The flag has no effect on a file.
    unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, permissions)};
    const std::error_code failure = fd ? refusal_of(fd.get()) : last_error();
    return failure ? file_opened{{}, failure} : file_opened{std::move(fd), {}};
}

std::error_code close_file(unique_fd& closed) { return error_of_call(::close(closed.release())); }

file_read read_file_at(int fd, std::uint64_t offset, std::size_t bytes) {
    file_read read{std::make_unique_for_overwrite<std::byte[]>(bytes), 0, {}};
    while (read.count < bytes) {
        const ssize_t n = read_some_at(fd, offset + read.count, {read.bytes.get() + read.count, bytes - read.count});
        if (n < 0 && errno == EINTR) continue;
        read.failure = error_of_call(n);
        if (n <= 0) break;
        read.count += static_cast<std::size_t>(n);
    }
    return read;
}

file_written write_file_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes, cached_file& cached) {
    file_written written;
    while (written.count < bytes.size()) {
        const ssize_t n = write_some_at(fd, offset + written.count, bytes.subspan(written.count), cached);
        if (n < 0 && errno == EINTR) continue;
        written.failure = error_of_call(n);
        if (n <= 0) break;
        written.count += static_cast<std::size_t>(n);
    }
    return written;
}

file_size size_of_file(int fd) {
    struct stat about {};
    const std::error_code failure = error_of_call(::fstat(fd, &about));
    return {static_cast<std::uint64_t>(about.st_size), failure};
}

file_content read_whole_file(const std::string& path) {
    const file_opened opened = open_file(path, O_RDONLY, 0);
    if (opened.failure) return {{}, opened.failure};
    // A file in /proc has the size 0, but content.
    constexpr std::uint64_t least = 4096;
    std::uint64_t piece = std::max(least, size_of_file(opened.fd.get()).bytes + 1);
    file_content all;
    for (;;) {
        const file_read read = read_file_at(opened.fd.get(), all.content.size(), piece);
        if (read.failure) return {{}, read.failure};
        all.content.append(reinterpret_cast<const char*>(read.bytes.get()), read.count);
        if (read.count < piece) return all;
        piece = all.content.size();
    }
}

}  // namespace coir::detail
