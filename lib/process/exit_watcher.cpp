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

/// Linux 5.3 has pidfds, and no waitid(2) for them. A seccomp filter may refuse that as well.
bool can_be_waited_for(int pidfd) noexcept {
    siginfo_t nobody_asks{};
    return !sys::may_be_unavailable(sys::waitid(sys::by_pidfd, pidfd, &nobody_asks, WEXITED | WNOHANG | WNOWAIT));
}

/// A thread for each child, and none of the pool's: those are few, and a child may run for long.
exit_watcher watcher_with_thread(pid_t child) {
    unique_fd notifier{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!notifier) throw_last_error(errno, "eventfd");
    const long duplicate = sys::duplicate(notifier.get());
    if (duplicate < 0) throw_last_error(static_cast<int>(-duplicate), "dup");
    std::thread{[child, rung = unique_fd{static_cast<int>(duplicate)}] {
        ::pthread_setname_np(::pthread_self(), "coir-exit");
        siginfo_t nobody_asks{};
        // WNOWAIT: whoever takes the status knows from then on that the number may be another process's.
        while (sys::waitid(P_PID, child, &nobody_asks, WEXITED | WNOWAIT) == -EINTR) {
        }
        constexpr std::uint64_t once = 1;
        sys::write(rung.get(), &once, sizeof once);
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
