#include "process/exit_watcher.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <cstdint>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <utility>

namespace coir::detail {

namespace {

[[noreturn]] void throw_last_error(int error, const char* operation) {
    throw std::system_error{error, std::system_category(), operation};
}

/// Whether waitid(2) supports pidfds: Linux 5.3 has pidfds but not that, and a seccomp filter may refuse it.
bool can_be_waited_for(int pidfd) noexcept {
    siginfo_t unused{};
    return !sys::may_be_unavailable(sys::waitid(sys::by_pidfd, pidfd, &unused, WEXITED | WNOHANG | WNOWAIT));
}

/// One thread per child, not from the pool: the pool has few threads, and a child may run for a long time.
exit_watcher watcher_with_thread(pid_t child) {
    unique_fd notifier{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!notifier) throw_last_error(errno, "eventfd");
    const long duplicate = sys::duplicate(notifier.get());
    if (duplicate < 0) throw_last_error(static_cast<int>(-duplicate), "dup");
    std::thread{[child, own_notifier = unique_fd{static_cast<int>(duplicate)}] {
        ::pthread_setname_np(::pthread_self(), "coir-exit");
        siginfo_t unused{};
        // WNOWAIT leaves the status, and so keeps the process ID reserved until the owner takes the status.
        while (sys::waitid(P_PID, child, &unused, WEXITED | WNOWAIT) == -EINTR) {
        }
        constexpr std::uint64_t once = 1;
        sys::write(own_notifier.get(), &once, sizeof once);
    }}.detach();
    return {std::move(notifier), false};
}

}  // namespace

exit_watcher exit_watcher::of(pid_t child) {
    const long opened = sys::pidfd_open(child);
    if (opened == -ESRCH) return {};
    if (sys::may_be_unavailable(opened)) return watcher_with_thread(child);
    if (opened < 0) throw_last_error(static_cast<int>(-opened), "pidfd_open");
    unique_fd pidfd{static_cast<int>(opened)};
    return can_be_waited_for(pidfd.get()) ? exit_watcher{std::move(pidfd), true} : watcher_with_thread(child);
}

}  // namespace coir::detail
