#include <coir/detail/net/socket_file.hpp>

#include "base/sys.hpp"
#include "net/socket_calls.hpp"

#include <cerrno>
#include <string>
#include <utility>

namespace coir::detail {

namespace {

/// Empty for an abstract name, or none.
std::string path_of(const net::endpoint& at) {
    std::string path = at.address();
    return path.starts_with('@') ? std::string{} : path;
}

/// Whether the path is the file of a socket that no process has open any more, for example after a crash.
bool is_stale(const std::string& path, const net::endpoint& at, int type) {
    struct stat found {};
    if (sys::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
    std::error_code ec;
    const int fd = make_socket(AF_UNIX, type, ec);
    if (ec) return false;
    const long result = sys::connect(fd, at.data(), at.size());
    sys::close(fd);
    return result == -ECONNREFUSED;
}

}  // namespace

std::error_code socket_file::bind(int fd, const net::endpoint& at, int type) {
    std::string path = path_of(at);  // before bind(2): an exception after it would leave the file behind
    std::error_code ec = error_of(sys::bind(fd, at.data(), at.size()));
    if (ec == std::errc::address_in_use && !path.empty() && is_stale(path, at, type)) {
        sys::unlink(path.c_str());
        ec = error_of(sys::bind(fd, at.data(), at.size()));
    }
    if (ec || path.empty()) return ec;
    struct stat bound {};
    ec = error_of(sys::lstat(path.c_str(), &bound));
    if (ec) {
        sys::unlink(path.c_str());  // `remove` would need its identity
        return ec;
    }
    path_ = std::move(path);
    device_ = bound.st_dev;
    number_ = bound.st_ino;
    bound_in_.emplace();
    return {};
}

void socket_file::remove() noexcept {
    const std::string path = std::exchange(path_, {});
    if (path.empty() || bound_in_->is_from_parent_process()) return;
    struct stat now {};
    const bool is_ours = sys::lstat(path.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == number_;
    if (is_ours) sys::unlink(path.c_str());
}

}  // namespace coir::detail
