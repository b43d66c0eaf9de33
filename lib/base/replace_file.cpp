#include "base/replace_file.hpp"

#include "base/error_of_call.hpp"
#include "base/sys.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

/// The error of getxattr(2) if there is no such attribute, or the file system or a seccomp filter permits none.
bool is_without_list(int error) { return error == ENODATA || error == ENOTSUP || sys::may_be_unavailable(-error); }

/// A new file beside an existing one, which it is to replace. The destructor removes it unless it has been renamed.
class replacement_file {
public:
    explicit replacement_file(std::string path) : path_{std::move(path)} {}
    ~replacement_file() {
        if (!name_.empty()) ::unlink(name_.c_str());
    }
    replacement_file(const replacement_file&) = delete;
    replacement_file& operator=(const replacement_file&) = delete;

    /// Copies owner, mode and access control list of the existing file, as far as this process may set them. At no moment
    /// is the new file open to more people than the existing one.
    std::error_code make() {
        struct stat old {};
        if (::stat(path_.c_str(), &old) != 0) return errno == ENOENT ? create(0666) : last_error();
        if (!S_ISREG(old.st_mode)) return refusal_of_other(old.st_mode);
        const std::error_code failure = create(0600);
        return failure ? failure : copy_access(old);
    }

    std::error_code write(std::span<const std::byte> content) {
        while (!content.empty()) {
            const ssize_t written = ::write(fd_.get(), content.data(), content.size());
            if (written < 0 && errno != EINTR) return last_error();
            if (written > 0) content = content.subspan(static_cast<std::size_t>(written));
        }
        return error_of_call(::fsync(fd_.get()));
    }

    std::error_code rename_over_target() {
        // On a network file system, an error like "disk full" may be reported only by close(2).
        if (::close(fd_.release()) != 0) return last_error();
        if (::rename(name_.c_str(), path_.c_str()) != 0) return last_error();
        name_.clear();
        return sync_folder();
    }

private:
    static std::error_code refusal_of_other(mode_t mode) {
        return std::make_error_code(S_ISDIR(mode) ? std::errc::is_a_directory : std::errc::invalid_argument);
    }

    std::error_code create(mode_t mode) {
        constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
        for (;;) {
            // O_EXCL makes sure that the file is new. A random name only avoids further tries, so the clock replaces
            // getrandom(2) if that fails.
            std::uint64_t number = 0;
            if (::getrandom(&number, sizeof number, 0) != sizeof number) {
                number = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
            }
            std::string name = path_ + ".new-" + std::to_string(number);
            fd_ = unique_fd{::open(name.c_str(), flags, mode)};
            if (fd_) name_ = std::move(name);  // a copy could throw, and the file would stay
            if (fd_ || errno != EEXIST) return fd_ ? std::error_code{} : last_error();
        }
    }

    std::error_code copy_access(const struct stat& old) {
        if (::fchown(fd_.get(), old.st_uid, old.st_gid) != 0) {
            static_cast<void>(!::fchown(fd_.get(), static_cast<uid_t>(-1), old.st_gid));
        }
        struct stat now {};
        if (::fstat(fd_.get(), &now) != 0) return last_error();
        mode_t mode = old.st_mode & 07777;
        // The rights of the old owner and group are not for others.
        if (now.st_uid != old.st_uid) mode &= ~mode_t{S_ISUID};
        if (now.st_gid != old.st_gid) mode &= ~mode_t{S_ISGID} & ~((~mode & S_IRWXO) << 3);
        // With a list, the bits of the group are the mask of the list, not the rights of the group.
        if (const std::error_code failure = copy_access_list()) return failure;
        return error_of_call(::fchmod(fd_.get(), mode));
    }

    /// Also removes the list that the new file has from its directory, if the old file has none.
    std::error_code copy_access_list() {
        constexpr char name[] = "system.posix_acl_access";
        std::array<char, 4096> list;
        const ssize_t bytes = ::getxattr(path_.c_str(), name, list.data(), list.size());
        if (bytes >= 0) return error_of_call(::fsetxattr(fd_.get(), name, list.data(), static_cast<size_t>(bytes), 0));
        if (errno == ENODATA) static_cast<void>(!::fremovexattr(fd_.get(), name));
        return is_without_list(errno) ? std::error_code{} : last_error();
    }

    /// Without this, the old file may be back after a crash.
    std::error_code sync_folder() {
        const std::string folder = std::filesystem::path{path_}.parent_path().native();
        const unique_fd opened{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        // EACCES: the directory may be writable but not readable.
        if (!opened) return errno == EACCES ? std::error_code{} : last_error();
        const std::error_code failure = error_of_call(::fsync(opened.get()));
        // Not all file systems support fsync(2) of a directory.
        return failure == std::errc::invalid_argument ? std::error_code{} : failure;
    }

    std::string path_;
    std::string name_;  // the new file; empty if there is none to remove
    unique_fd fd_;
};

}  // namespace

std::error_code replace_file(const std::string& path, std::span<const std::byte> content) {
    std::error_code ec;
    const bool is_link = std::filesystem::is_symlink(std::filesystem::symlink_status(path, ec));
    const std::string target = is_link ? std::filesystem::weakly_canonical(path, ec).native() : path;
    if (is_link && ec) return ec;
    replacement_file made{target};
    ec = made.make();
    if (!ec) ec = made.write(content);
    if (!ec) ec = made.rename_over_target();
    return ec;
}

}  // namespace coir::detail
