#include "io/file_calls.hpp"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

std::error_code refusal_of(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return last_error();
    if (S_ISDIR(about.st_mode)) return std::make_error_code(std::errc::is_a_directory);
    if (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)) return std::make_error_code(std::errc::invalid_argument);
    return {};
}

}  // namespace

file_opened open_file(const std::string& path, int flags, mode_t permissions) {
    // O_NONBLOCK: a FIFO would wait for its other end, and means nothing to a file.
    unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, permissions)};
    const std::error_code failure = fd ? refusal_of(fd.get()) : last_error();
    return failure ? file_opened{{}, failure} : file_opened{std::move(fd), {}};
}

std::error_code close_file(unique_fd& closed) { return error_of_call(::close(closed.release())); }

file_read read_file_at(int fd, std::uint64_t offset, std::size_t bytes) {
    file_read read{std::make_unique_for_overwrite<std::byte[]>(bytes), 0, {}};
    while (read.count < bytes) {
        const ssize_t n =
            ::pread(fd, read.bytes.get() + read.count, bytes - read.count, static_cast<off_t>(offset + read.count));
        if (n < 0 && errno == EINTR) continue;
        read.failure = error_of_call(n);
        if (n <= 0) break;
        read.count += static_cast<std::size_t>(n);
    }
    return read;
}

file_written write_file_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
    file_written written;
    while (written.count < bytes.size()) {
        const ssize_t n = ::pwrite(fd, bytes.data() + written.count, bytes.size() - written.count,
                                   static_cast<off_t>(offset + written.count));
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
    // What /proc has is of size 0 until it is read.
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

// ---- replacing ---------------------------------------------------------------------------------------------------

namespace {

/// A file beside another one, for its successor: gone unless it is put into its place.
class successor {
public:
    explicit successor(std::string path) : path_{std::move(path)} {}
    ~successor() {
        if (!name_.empty()) ::unlink(name_.c_str());
    }
    successor(const successor&) = delete;
    successor& operator=(const successor&) = delete;

    std::error_code make() {
        constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
        for (;;) {
            // O_EXCL makes the name ours. A random one only makes the first try succeed, and does without getrandom(2).
            std::uint64_t number = 0;
            if (::getrandom(&number, sizeof number, 0) != sizeof number) {
                number = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
            }
            const std::string name = path_ + ".new-" + std::to_string(number);
            fd_ = unique_fd{::open(name.c_str(), flags, 0666)};
            if (fd_) name_ = name;
            if (fd_ || errno != EEXIST) return fd_ ? std::error_code{} : last_error();
        }
    }

    /// Whose it was, and who may use it, as far as this process may say so.
    std::error_code take_after_predecessor() {
        struct stat old {};
        if (::stat(path_.c_str(), &old) != 0) return errno == ENOENT ? std::error_code{} : last_error();
        if (!S_ISREG(old.st_mode)) return refusal_of_other(old.st_mode);
        static_cast<void>(!::fchown(fd_.get(), old.st_uid, old.st_gid));
        return error_of_call(::fchmod(fd_.get(), old.st_mode & 07777));
    }

    std::error_code write(std::span<const std::byte> content) {
        const std::error_code failure = write_file_at(fd_.get(), 0, content).failure;
        return failure ? failure : error_of_call(::fsync(fd_.get()));
    }

    std::error_code take_place() {
        // On a network's server, only this may say that the disk is full.
        if (const std::error_code failure = close_file(fd_)) return failure;
        if (::rename(name_.c_str(), path_.c_str()) != 0) return last_error();
        name_.clear();
        return sync_folder();
    }

private:
    static std::error_code refusal_of_other(mode_t mode) {
        return std::make_error_code(S_ISDIR(mode) ? std::errc::is_a_directory : std::errc::invalid_argument);
    }

    /// So that a crash does not bring the old one back.
    std::error_code sync_folder() {
        const std::string folder = std::filesystem::path{path_}.parent_path().native();
        const unique_fd opened{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!opened) return errno == EACCES ? std::error_code{} : last_error();  // may be written, and not be read
        const std::error_code failure = error_of_call(::fsync(opened.get()));
        return failure == std::errc::invalid_argument ? std::error_code{} : failure;  // not all file systems can
    }

    std::string path_;
    std::string name_;  // while it stands there
    unique_fd fd_;
};

}  // namespace

std::error_code replace_file(const std::string& path, std::span<const std::byte> content) {
    std::error_code ec;
    const bool is_link = std::filesystem::is_symlink(std::filesystem::symlink_status(path, ec));
    const std::string target = is_link ? std::filesystem::weakly_canonical(path, ec).native() : path;
    if (is_link && ec) return ec;
    successor made{target};
    ec = made.make();
    if (!ec) ec = made.take_after_predecessor();
    if (!ec) ec = made.write(content);
    if (!ec) ec = made.take_place();
    return ec;
}

}  // namespace coir::detail
