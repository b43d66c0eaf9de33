#include "render/output.hpp"

#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace detector {

namespace {

using coir::detail::unique_fd;

[[noreturn]] void refuse(int error, const std::string& name) {
    throw std::system_error{error, std::generic_category(), "cannot write " + name};
}

void write_all(int file, std::string_view text, const std::string& name) {
    while (!text.empty()) {
        const ssize_t written = ::write(file, text.data(), text.size());
        if (written < 0 && errno != EINTR) refuse(errno, name);
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// Whether the file is not a regular one (terminal, pipe, /dev/null), so that it must not be replaced.
bool is_special(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode);
}

/// The mode of a file created with open(2). mkstemp(3) creates a file that only its owner can read.
mode_t usual_mode() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return 0666 & ~mask;
}

/// A temporary file beside `path`. The destructor removes it unless `replace_target` was called.
class temporary_beside {
public:
    explicit temporary_beside(const std::string& path) : path_{path}, name_{path + ".XXXXXX"} {
        file_ = unique_fd{::mkostemp(name_.data(), O_CLOEXEC)};
        if (!file_) refuse(errno, path);
    }
    ~temporary_beside() {
        if (!name_.empty()) ::unlink(name_.c_str());
    }
    temporary_beside(const temporary_beside&) = delete;
    temporary_beside& operator=(const temporary_beside&) = delete;

    [[nodiscard]] int fd() const noexcept { return file_.get(); }

    /// Renames the temporary file to `path`. Some file systems report only here that they are full.
    void replace_target() {
        if (::fchmod(file_.get(), usual_mode()) != 0 || ::fsync(file_.get()) != 0 || ::close(file_.release()) != 0 ||
            std::rename(name_.c_str(), path_.c_str()) != 0) {
            refuse(errno, path_);
        }
        name_.clear();
    }

private:
    std::string path_;
    std::string name_;
    unique_fd file_;
};

}  // namespace

void write_file(const std::string& path, std::string_view text) {
    // These are links, possibly to a regular file that has other output, or to a socket, which cannot be opened.
    if (path == "/dev/stdout") return write_out(text);
    if (path == "/dev/stderr") return write_all(STDERR_FILENO, text, "standard error");
    if (is_special(path)) {
        const unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
        if (!file) refuse(errno, path);
        write_all(file.get(), text, path);
        return;
    }
    temporary_beside file{path};
    write_all(file.fd(), text, path);
    file.replace_target();
}

void write_out(std::string_view text) { write_all(STDOUT_FILENO, text, "standard output"); }

}  // namespace detector
