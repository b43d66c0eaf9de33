#include "detect/call_model.hpp"

#include "base/system_call.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace coir::detail {

namespace {

using category = blocking_class;

constexpr auto noticeable = std::chrono::milliseconds{1};

}  // namespace

bool is_zero(const timespec* limit) noexcept { return limit != nullptr && limit->tv_sec == 0 && limit->tv_nsec == 0; }

bool is_zero(const timeval* limit) noexcept { return limit != nullptr && limit->tv_sec == 0 && limit->tv_usec == 0; }

bool is_nonblocking(long fd) noexcept {
    const long flags = system_call(SYS_fcntl, static_cast<int>(fd), F_GETFL);
    return flags < 0 || (flags & O_NONBLOCK) != 0;
}

call_model model_of_sleep(const timespec* length) noexcept { return must_if(!is_zero(length), category::sleep); }

call_model model_of_poll(long count, bool waits) noexcept {
    return must_if(waits, count == 0 ? category::sleep : category::poll);
}

call_model model_of_socket(long fd, long flags) noexcept {
    return must_if((flags & MSG_DONTWAIT) == 0 && !is_nonblocking(fd), category::network);
}

call_model model_of_stream(long fd) noexcept {
    const call_model said = model_of_blocking_stream(fd);
    return said.when == call_model::sleeps::if_it_must && is_nonblocking(fd) ? never_sleeps : said;
}

call_model model_of_blocking_stream(long fd) noexcept {
    struct stat about {};
    if (system_call(SYS_fstat, static_cast<int>(fd), &about) != 0) return never_sleeps;
    constexpr unsigned memory_devices = 1;  // /dev/null, /dev/zero, ...
    switch (about.st_mode & S_IFMT) {
    // O_NONBLOCK means nothing to them, and the page cache mostly has it.
    case S_IFREG:
    case S_IFBLK:
    case S_IFDIR: return at_times(category::disk);
    case S_IFSOCK: return must(category::network);
    case S_IFCHR:
        if (major(about.st_rdev) == memory_devices) return never_sleeps;
        [[fallthrough]];
    // Pipes and terminals; eventfd, timerfd, signalfd, inotify and the like have no type.
    default: return must(category::pipe);
    }
}

call_model model_of_output(long fd, call_model said) noexcept {
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO) said.least = noticeable;
    return said;
}

}  // namespace coir::detail
