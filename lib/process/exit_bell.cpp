#include "process/exit_bell.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>

#include "base/sys.hpp"

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
exit_bell rung_by_a_thread(pid_t child) {
    unique_fd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!bell) throw_last_error(errno, "eventfd");
    const long duplicate = sys::duplicate(bell.get());
    if (duplicate < 0) throw_last_error(static_cast<int>(-duplicate), "dup");
    std::thread{[child, rung = unique_fd{static_cast<int>(duplicate)}] {
        ::pthread_setname_np(::pthread_self(), "coir-exit");
        siginfo_t nobody_asks{};
        // WNOWAIT: whoever takes the status knows from then on that the number may be another process's.
        while (sys::waitid(P_PID, child, &nobody_asks, WEXITED | WNOWAIT) == -EINTR) {}
        constexpr std::uint64_t once = 1;
        sys::write(rung.get(), &once, sizeof once);
    }}.detach();
    return {std::move(bell), false};
}

}  // namespace

exit_bell exit_bell::of(pid_t child) {
    const long opened = sys::pidfd_open(child);
    if (opened == -ESRCH) return {};
    if (sys::may_be_unavailable(opened)) return rung_by_a_thread(child);
    if (opened < 0) throw_last_error(static_cast<int>(-opened), "pidfd_open");
    unique_fd pidfd{static_cast<int>(opened)};
    return can_be_waited_for(pidfd.get()) ? exit_bell{std::move(pidfd), true} : rung_by_a_thread(child);
}

}  // namespace coir::detail
