#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/core/let_others_run.hpp>
#include <coir/io/directory_watch.hpp>

#include "base/sys.hpp"
#include "io/polled_fd.hpp"

#include <cerrno>
#include <cstring>
#include <limits.h>
#include <sys/inotify.h>

namespace coir::io {

namespace {

namespace sys = detail::sys;

constexpr std::uint32_t watched = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |
                                  IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR;

directory_change::kind kind_of(std::uint32_t mask) noexcept {
    using kind = directory_change::kind;
    if ((mask & IN_Q_OVERFLOW) != 0) return kind::lost;
    if ((mask & IN_IGNORED) != 0) return kind::ended;
    if ((mask & IN_CREATE) != 0) return kind::created;
    if ((mask & IN_CLOSE_WRITE) != 0) return kind::written;
    if ((mask & IN_DELETE) != 0) return kind::removed;
    if ((mask & IN_MOVED_FROM) != 0) return kind::moved_away;
    if ((mask & IN_MOVED_TO) != 0) return kind::moved_here;
    return kind::modified;
}

/// Whether the event is about the directory itself: IN_IGNORED follows it, or it is of no interest.
bool is_about_itself(const inotify_event& event) noexcept {
    return event.len == 0 && (event.mask & (IN_Q_OVERFLOW | IN_IGNORED)) == 0;
}

[[noreturn]] void throw_refused(int error, const std::filesystem::path& directory) {
    std::string what = "io::directory_watch of '" + directory.native() + "'";
    if (error == EMFILE) {
        what += ": too many inotify instances of this user (raise the sysctl fs.inotify.max_user_instances), "
                "or too many open descriptors in the process (raise RLIMIT_NOFILE)";
    }
    if (error == ENOSPC) what += ": too many inotify watches (raise the sysctl fs.inotify.max_user_watches)";
    detail::throw_error({error, std::system_category()}, what);
}

}  // namespace

directory_watch::directory_watch(const std::filesystem::path& directory) {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) throw_refused(errno, directory);
    fd_ = detail::polled_fd{fd};
    if (::inotify_add_watch(fd, directory.c_str(), watched) < 0) throw_refused(errno, directory);
}

directory_change directory_watch::next(deadline until) {
    constexpr char operation[] = "io::directory_watch::next";
    for (;;) {
        if (taken_ == events_.size()) {
            if (ended_) return {directory_change::kind::ended, {}};
            std::vector<std::byte> read(16 * (sizeof(inotify_event) + NAME_MAX + 1));
            std::error_code ec;
            const auto call = [&] { return sys::read(fd_.fd(), read.data(), read.size()); };
            read.resize(fd_.read_by(call, until, ec, operation));
            detail::throw_if(ec, operation);
            events_ = std::move(read);
            taken_ = 0;
        }
        inotify_event event{};
        std::memcpy(&event, events_.data() + taken_, sizeof event);
        const auto* const name = reinterpret_cast<const char*>(events_.data() + taken_ + sizeof event);
        taken_ += sizeof event + event.len;
        if (is_about_itself(event)) continue;
        const directory_change::kind what = kind_of(event.mask);
        ended_ = what == directory_change::kind::ended;
        detail::let_others_run();
        return {what, event.len > 0 ? name : "", (event.mask & IN_ISDIR) != 0};
    }
}

}  // namespace coir::io
