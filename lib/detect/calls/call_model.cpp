#include "detect/calls/call_model.hpp"

#include "base/is_readable.hpp"
#include "base/system_call.hpp"
#include "detect/calls/file_systems.hpp"

#include <array>
#include <charconv>
#include <fcntl.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace coir::detail {

namespace {

using category = blocking_class;

constexpr unsigned memory_devices = 1;  // major number of /dev/null, /dev/zero, ...

bool status_of(long fd, struct stat& about) noexcept {
    return system_call(SYS_fstat, static_cast<int>(fd), &about) == 0;
}

template <class Value> Value socket_option(long fd, int option, Value unknown) noexcept {
    Value value{};
    socklen_t bytes = sizeof value;
    const long asked = system_call(SYS_getsockopt, static_cast<int>(fd), SOL_SOCKET, option, &value, &bytes);
    return asked == 0 ? value : unknown;
}

bool is_datagram(long fd) noexcept { return socket_option(fd, SO_TYPE, SOCK_STREAM) == SOCK_DGRAM; }

/// Whether the kernel itself answers on the socket.
bool is_answered_by_kernel(long fd) noexcept {
    const int family = socket_option(fd, SO_DOMAIN, AF_UNSPEC);
    return family == AF_NETLINK || family == AF_ALG;
}

/// O_NONBLOCK has no effect on these.
bool is_file(const struct stat& about) noexcept {
    return S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode);
}

bool is_same_file(const struct stat& one, long fd) noexcept {
    struct stat other {};
    return status_of(fd, other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// What an access to a file may wait for: the page cache usually has the data. O_NONBLOCK has no effect on files.
call_model of_file(bool on_device, category which) noexcept {
    call_model model = unpredictable(which);
    model.rule = level_rule::once_long;
    model.latent = on_device;
    return model;
}

/// The kind of a descriptor without a file type, from its name in /proc: "anon_inode:[eventfd]".
enum class nameless { other, eventfd, timerfd, inotify };

nameless kind_of(long fd) noexcept {
    std::array<char, 32> path{"/proc/self/fd/"};
    const std::to_chars_result end = std::to_chars(path.data() + 14, path.data() + path.size() - 1, fd);
    *end.ptr = '\0';
    std::array<char, 64> text{};
    const long bytes = system_call(SYS_readlinkat, AT_FDCWD, path.data(), text.data(), text.size());
    if (bytes <= 0) return nameless::other;
    const std::string_view name{text.data(), static_cast<std::size_t>(bytes)};
    if (name.ends_with("[eventfd]")) return nameless::eventfd;
    if (name.ends_with("[timerfd]")) return nameless::timerfd;
    if (name.ends_with("inotify")) return nameless::inotify;
    return nameless::other;
}

call_model of_nameless(long fd, bool writes) noexcept {
    call_model model = may_sleep(category::pipe);
    switch (kind_of(fd)) {
    case nameless::eventfd:
        // A write waits only if the counter would exceed 2^64-2.
        model.latent = !writes;
        model.call = writes ? "eventfd_write" : "eventfd_read";
        break;
    case nameless::timerfd: model.call = "timerfd_read"; break;
    case nameless::inotify: model.call = "inotify_read"; break;
    case nameless::other: break;
    }
    return model;
}

call_model of_stream(long fd, const struct stat& about, bool writes) noexcept {
    switch (about.st_mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR: return of_file(has_device(about.st_dev, static_cast<int>(fd)), category::disk);
    case S_IFBLK: return of_file(true, category::disk);
    case S_IFSOCK: return writes ? model_of_send(fd) : model_of_socket(fd);
    case S_IFCHR: return major(about.st_rdev) == memory_devices ? never_sleeps : may_sleep(category::pipe);
    case 0: return of_nameless(fd, writes);
    default: return may_sleep(category::pipe);  // pipes
    }
}

}  // namespace

bool is_zero(const timespec* limit) noexcept {
    if (limit == nullptr) return false;
    return !is_readable(limit, sizeof *limit) || (limit->tv_sec == 0 && limit->tv_nsec == 0);
}

bool is_zero(const timeval* limit) noexcept {
    if (limit == nullptr) return false;
    return !is_readable(limit, sizeof *limit) || (limit->tv_sec == 0 && limit->tv_usec == 0);
}

bool is_over(clockid_t clock, const timespec* until) noexcept {
    timespec now{};
    if (until == nullptr) return false;
    if (!is_readable(until, sizeof *until)) return true;
    if (::clock_gettime(clock, &now) != 0) return false;
    return now.tv_sec != until->tv_sec ? now.tv_sec > until->tv_sec : now.tv_nsec >= until->tv_nsec;
}

bool is_nonblocking(long fd) noexcept {
    const long flags = system_call(SYS_fcntl, static_cast<int>(fd), F_GETFL);
    return flags < 0 || (flags & O_NONBLOCK) != 0;
}

call_model model_of_sleep(const timespec* length) noexcept {
    return may_sleep_if(length != nullptr && !is_zero(length), category::sleep);
}

call_model model_of_poll(long count, bool waits) noexcept {
    return may_sleep_if(waits, count == 0 ? category::sleep : category::poll);
}

call_model model_of_connect(long fd) noexcept { return is_datagram(fd) ? never_sleeps : model_of_socket(fd); }

call_model model_of_open(long flags) noexcept {
    return (flags & (O_NONBLOCK | O_PATH)) != 0 ? never_sleeps : seldom_sleeps(call_model::sleeps::unless_ready);
}

call_model model_of_socket(long fd, long flags) noexcept {
    const bool waits = (flags & MSG_DONTWAIT) == 0 && !is_nonblocking(fd) && !is_answered_by_kernel(fd);
    return may_sleep_if(waits, category::network);
}

call_model model_of_send(long fd, long flags) noexcept {
    call_model model = model_of_socket(fd, flags);
    if (model.when != call_model::sleeps::never && is_datagram(fd)) model.rule = level_rule::once_long;
    return model;
}

call_model model_of_read(long fd) noexcept {
    struct stat about {};
    if (!status_of(fd, about)) return never_sleeps;
    if (is_nonblocking(fd) && !is_file(about)) return never_sleeps;
    if (fd != STDIN_FILENO) return of_stream(fd, about, false);
    call_model model = may_sleep(category::pipe);
    model.rule = level_rule::always;
    return model;
}

call_model model_of_write(long fd) noexcept {
    struct stat about {};
    if (!status_of(fd, about)) return never_sleeps;
    if (is_nonblocking(fd) && !is_file(about)) return never_sleeps;
    call_model model = of_stream(fd, about, true);
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO || is_same_file(about, STDOUT_FILENO) ||
        is_same_file(about, STDERR_FILENO)) {
        model.latent = false;
        model.rule = level_rule::once_long;
    } else if (S_ISREG(about.st_mode) && model.latent &&
               (system_call(SYS_fcntl, static_cast<int>(fd), F_GETFL) & O_DSYNC) != 0) {
        model = may_sleep(category::disk);  // O_SYNC includes the bit of O_DSYNC
        model.rule = level_rule::always;
    }
    return model;
}

call_model model_of_close(long fd) noexcept {
    const linger wait = socket_option(fd, SO_LINGER, linger{});
    const int family = wait.l_onoff != 0 && wait.l_linger > 0 ? socket_option(fd, SO_DOMAIN, AF_UNSPEC) : AF_UNSPEC;
    if ((family != AF_INET && family != AF_INET6) || is_datagram(fd))
        return seldom_sleeps(call_model::sleeps::unpredictable);
    call_model model = may_sleep(category::network);
    model.rule = level_rule::always;
    return model;
}

call_model model_of_sync(long fd) noexcept {
    struct stat about {};
    return may_sleep_if(status_of(fd, about) && has_device(about.st_dev, static_cast<int>(fd)), category::disk);
}

call_model model_of_path(long folder, const char* path) noexcept {
    struct stat about {};
    const auto at = static_cast<int>(folder);
    const bool on_device =
        system_call(SYS_newfstatat, at, path, &about, AT_SYMLINK_NOFOLLOW) == 0 && has_device(about.st_dev, at, path);
    return on_device ? of_file(true, category::other) : seldom_sleeps(call_model::sleeps::unpredictable);
}

call_model model_of_open_file(long fd) noexcept {
    struct stat about {};
    if (!status_of(fd, about) || !is_file(about)) return never_sleeps;
    return of_file(has_device(about.st_dev, static_cast<int>(fd)), category::other);
}

}  // namespace coir::detail
