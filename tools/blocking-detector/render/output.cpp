#include "render/output.hpp"

#include "base/replace_file.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <span>
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
    if (const std::error_code failure = coir::detail::replace_file(path, std::as_bytes(std::span{text})))
        refuse(failure.value(), path);
}

void write_out(std::string_view text) { write_all(STDOUT_FILENO, text, "standard output"); }

}  // namespace detector
