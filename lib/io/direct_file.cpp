#include "io/direct_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <new>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace coir::detail {

namespace {

constexpr std::size_t memory_alignment = 4096;  // no device asks for more
constexpr std::size_t block_bytes_min = 4096;   // a multiple of the 512 bytes of older devices

struct free_memory {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
};

std::unique_ptr<std::byte[], free_memory> aligned_memory(std::size_t bytes) {
    void* memory = nullptr;
    if (::posix_memalign(&memory, memory_alignment, bytes) != 0) throw std::bad_alloc{};
    return std::unique_ptr<std::byte[], free_memory>{static_cast<std::byte*>(memory)};
}

/// The block size of a file with O_DIRECT; 0 for other files. O_DIRECT may have been set after the file was opened.
std::size_t direct_block_bytes(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_DIRECT) == 0) return 0;
    struct stat about {};
    if (::fstat(fd, &about) != 0) return 0;
    return std::max(block_bytes_min, static_cast<std::size_t>(about.st_blksize));
}

/// The block size, if O_DIRECT is why a transfer failed; else 0.
std::size_t refused_block_bytes(int fd, ssize_t result) noexcept {
    return result < 0 && errno == EINVAL ? direct_block_bytes(fd) : 0;
}

/// Reads the blocks that contain the bytes, and copies these.
ssize_t read_blocks(int fd, std::size_t block_bytes, std::uint64_t offset, std::span<std::byte> into) {
    const std::size_t before = offset % block_bytes;
    const std::size_t blocks = (before + into.size() + block_bytes - 1) / block_bytes;
    const auto space = aligned_memory(blocks * block_bytes);
    const ssize_t n = ::pread(fd, space.get(), blocks * block_bytes, static_cast<off_t>(offset - before));
    if (n < 0) return n;
    const auto found = static_cast<std::size_t>(n);
    const std::size_t wanted = found > before ? std::min(found - before, into.size()) : 0;
    std::memcpy(into.data(), space.get() + before, wanted);
    return static_cast<ssize_t>(wanted);
}

/// Writes complete blocks from aligned memory, and anything else through the page cache.
ssize_t write_blocks(int fd, std::size_t block_bytes, std::uint64_t offset, std::span<const std::byte> from,
                     cached_file& cached) {
    if (offset % block_bytes == 0 && from.size() % block_bytes == 0) {
        const auto copy = aligned_memory(from.size());
        std::memcpy(copy.get(), from.data(), from.size());
        const ssize_t n = ::pwrite(fd, copy.get(), from.size(), static_cast<off_t>(offset));
        // With O_APPEND, the end of the file is the offset.
        if (n >= 0 || errno != EINVAL) return n;
    }
    const int other = cached.of(fd);
    if (other < 0) {
        errno = EINVAL;
        return -1;
    }
    return ::pwrite(other, from.data(), from.size(), static_cast<off_t>(offset));
}

}  // namespace

int cached_file::of(int direct) noexcept try {
    const std::lock_guard lock{mutex_};
    if (!fd_) {
        const std::string path = "/proc/self/fd/" + std::to_string(direct);
        const int flags = ::fcntl(direct, F_GETFL) & ~O_DIRECT;
        fd_ = unique_fd{::open(path.c_str(), flags | O_CLOEXEC)};
    }
    return fd_.get();
} catch (const std::bad_alloc&) {
    return -1;
}

ssize_t read_some_at(int fd, std::uint64_t offset, std::span<std::byte> into) {
    const ssize_t n = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    const std::size_t block_bytes = refused_block_bytes(fd, n);
    return block_bytes > 0 ? read_blocks(fd, block_bytes, offset, into) : n;
}

ssize_t write_some_at(int fd, std::uint64_t offset, std::span<const std::byte> from, cached_file& cached) {
    const ssize_t n = ::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
    const std::size_t block_bytes = refused_block_bytes(fd, n);
    return block_bytes > 0 ? write_blocks(fd, block_bytes, offset, from, cached) : n;
}

}  // namespace coir::detail
