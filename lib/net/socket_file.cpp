#include <coir/detail/net/socket_file.hpp>

#include "base/sys.hpp"
#include "net/socket_calls.hpp"

#include <new>
#include <string>

namespace coir::detail {

namespace {

bool is_path(const net::endpoint& at) { return !at.address().empty() && !at.address().starts_with('@'); }

/// Whether the path is the file of a socket that no process has open any more, for example after a crash.
bool is_stale(const net::endpoint& at, int type) {
    struct stat found {};
    if (sys::lstat(at.address().c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
    std::error_code ec;
    const int fd = make_socket(AF_UNIX, type, ec);
    if (ec) return false;
    const long result = sys::connect(fd, at.data(), at.size());
    sys::close(fd);
    return result == -ECONNREFUSED;
}

}  // namespace

std::error_code socket_file::bind(int fd, const net::endpoint& at, int type) {
    std::error_code ec = error_of(sys::bind(fd, at.data(), at.size()));
    if (ec == std::errc::address_in_use && is_path(at) && is_stale(at, type)) {
        sys::unlink(at.address().c_str());
        ec = error_of(sys::bind(fd, at.data(), at.size()));
    }
    struct stat bound {};
    if (!ec && is_path(at) && sys::lstat(at.address().c_str(), &bound) == 0) {
        device_ = bound.st_dev;
        number_ = bound.st_ino;
        bound_in_.emplace();
    }
    return ec;
}

void socket_file::remove(int fd) noexcept try {
    if (number_ == 0 || bound_in_->is_from_parent_process()) return;
    std::error_code ec;
    const std::string path = socket_name(fd, sys::getsockname, ec).address();
    struct stat now {};
    const bool is_ours = !ec && sys::lstat(path.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == number_;
    if (is_ours) sys::unlink(path.c_str());
    number_ = 0;
} catch (const std::bad_alloc&) {  // the file stays; the next `bind` finds that it is stale
}

}  // namespace coir::detail
