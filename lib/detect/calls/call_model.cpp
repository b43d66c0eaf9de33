#include "detect/calls/call_model.hpp"

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

call_model model_of_sleep(const timespec* length) noexcept { return may_sleep_if(!is_zero(length), category::sleep); }

call_model model_of_poll(long count, bool waits) noexcept {
    return may_sleep_if(waits, count == 0 ? category::sleep : category::poll);
}

call_model model_of_socket(long fd, long flags) noexcept {
    return may_sleep_if((flags & MSG_DONTWAIT) == 0 && !is_nonblocking(fd), category::network);
}

call_model model_of_stream(long fd) noexcept {
    const call_model model = model_of_blocking_stream(fd);
    return model.when == call_model::sleeps::unless_ready && is_nonblocking(fd) ? never_sleeps : model;
}

call_model model_of_blocking_stream(long fd) noexcept {
    struct stat about {};
    if (system_call(SYS_fstat, static_cast<int>(fd), &about) != 0) return never_sleeps;
    constexpr unsigned memory_devices = 1;  // /dev/null, /dev/zero, ...
    switch (about.st_mode & S_IFMT) {
    // O_NONBLOCK has no effect on files, and the page cache usually has the data.
    case S_IFREG:
    case S_IFBLK:
    case S_IFDIR: return unpredictable(category::disk);
    case S_IFSOCK: return may_sleep(category::network);
    case S_IFCHR:
        if (major(about.st_rdev) == memory_devices) return never_sleeps;
        [[fallthrough]];
    // Pipes and terminals. The descriptors of eventfd, timerfd, signalfd and inotify have no file type.
    default: return may_sleep(category::pipe);
    }
}

call_model model_of_output(long fd, call_model model) noexcept {
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO) model.least = noticeable;
    return model;
}

}  // namespace coir::detail
