#include "base/unseen_child.hpp"

#include "base/sys.hpp"
#include "base/system_call.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::detail {

namespace {

constexpr int waits_for_end_max = 100;  // about a second

// ---- the child -----------------------------------------------------------------------------------------------------

[[noreturn]] void end(int status) noexcept {
    for (;;) system_call(SYS_exit_group, status);
}

/// Without memory, libdw calls exit(3). That first destroys the objects of the thread, the latest first: this one ends the
/// process before a destructor of the program runs.
struct exit_guard {
    exit_guard() noexcept = default;
    ~exit_guard() { end(EXIT_FAILURE); }
    void enter() const noexcept {}
};

thread_local exit_guard guarded;

/// The kernel's struct sigaction; the C library has another one.
struct signal_action {
    void (*handler)(int) = SIG_DFL;
    unsigned long flags = 0;
    void (*restorer)() = nullptr;
    std::uint64_t mask = 0;
};

void forget_signal_handlers() noexcept {
    constexpr signal_action by_default;
    for (int each = 1; each <= 64; ++each)
        system_call(SYS_rt_sigaction, each, &by_default, nullptr, sizeof by_default.mask);
}

void close_all_but(int kept) noexcept {
    const auto last = static_cast<unsigned>(kept);
    if ((last == 0 || system_call(SYS_close_range, 0U, last - 1, 0U) == 0) &&
        system_call(SYS_close_range, last + 1, ~0U, 0U) == 0)
        return;
    // Linux before 5.9.
    rlimit most{};
    system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &most);
    for (rlim_t each = 0; each < most.rlim_cur; ++each) {
        if (each != last) sys::close(static_cast<int>(each));
    }
}

/// The size of the address space, in bytes.
std::size_t address_space() noexcept {
    std::array<char, 64> text{};
    const unique_fd file{static_cast<int>(sys::open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0))};
    if (!file || sys::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
    std::size_t pages = 0;
    for (const char* each = text.data(); *each >= '0' && *each <= '9'; ++each)
        pages = pages * 10 + static_cast<std::size_t>(*each - '0');
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void limit(int which, rlim_t to) noexcept {
    rlimit now{};
    system_call(SYS_prlimit64, 0, which, nullptr, &now);
    now.rlim_cur = std::min(now.rlim_max, to);
    now.rlim_max = now.rlim_cur;
    system_call(SYS_prlimit64, 0, which, &now, nullptr);
}

/// Prefers the program: for processor time, and if memory runs out.
void give_way(const child_limits& limits) noexcept {
    const sched_param usual{};
    system_call(SYS_sched_setscheduler, 0, SCHED_BATCH, &usual);
    if (const unique_fd score{static_cast<int>(sys::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0))})
        sys::write(score.get(), "1000", 4);
    if (const std::size_t used = address_space()) limit(RLIMIT_AS, used + limits.memory);
    limit(RLIMIT_CPU, static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(limits.time).count()));
    limit(RLIMIT_CORE, 0);
    system_call(SYS_prctl, PR_SET_DUMPABLE, 0L);  // a crash is not reported
}

[[noreturn]] void run_in_child(unseen_child::work run, void* argument, int kept, const child_limits& limits,
                               long parent) noexcept {
    system_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (system_call(SYS_getppid) != parent) end(EXIT_FAILURE);  // it had ended before
    forget_signal_handlers();
    close_all_but(kept);
    give_way(limits);
    guarded.enter();
    try {
        if (run(argument)) end(EXIT_SUCCESS);
    } catch (...) {
    }
    end(EXIT_FAILURE);
}

// ---- the parent ----------------------------------------------------------------------------------------------------

/// Blocks all signals of the thread: the child must not run the program's handlers.
class all_signals_blocked {
public:
    all_signals_blocked() noexcept {
        const std::uint64_t all = ~std::uint64_t{0};
        system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, sizeof all);
    }
    ~all_signals_blocked() { system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof before_); }
    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;

private:
    std::uint64_t before_ = 0;
};

/// Starts a copy of this process, without an exit signal, so that a wait for any child does not see it. CLONE_UNTRACED: a
/// debugger would take such a child for a thread. Returns as fork(2), or -errno.
long start_child(int& pidfd) noexcept {
    clone_args arguments{};
    arguments.flags = CLONE_UNTRACED | CLONE_PIDFD;  // before Linux 5.2, CLONE_PIDFD is ignored
    arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    // The C library starts threads with clone3, so a seccomp filter that kills for a call permits this one.
    const long result = system_call(SYS_clone3, &arguments, CLONE_ARGS_SIZE_VER0);
    if (!sys::may_be_unavailable(result)) return result;
    return system_call(SYS_clone, arguments.flags, nullptr, &pidfd, nullptr, nullptr);
}

}  // namespace

unseen_child::unseen_child(work run, void* argument, int kept, const child_limits& limits) noexcept {
    const long parent = system_call(SYS_getpid);
    int pidfd = -1;
    const all_signals_blocked quiet;
    const long pid = start_child(pidfd);
    if (pid == 0) run_in_child(run, argument, kept, limits, parent);
    pidfd_ = unique_fd{pidfd};
    pid_ = static_cast<pid_t>(std::max(pid, 0L));
    error_ = static_cast<int>(std::max(-pid, 0L));
}

unseen_child::~unseen_child() {
    if (pid_ == 0) return;
    // Without a pidfd, the number may be another process's by now, if the program itself waits with __WALL.
    if (!pidfd_ || sys::may_be_unavailable(sys::pidfd_send_signal(pidfd_.get(), SIGKILL))) sys::kill(pid_, SIGKILL);
    // A process that waits for a disk which hangs does not even die: it is left behind.
    siginfo_t how{};
    for (int waits = 0; waits < waits_for_end_max; ++waits) {
        const long result = sys::waitid(P_PID, pid_, &how, WEXITED | WNOHANG | __WCLONE);
        if (result != 0 || how.si_pid != 0) return;
        static_cast<void>(wait_a_little(-1));
    }
}

bool unseen_child::wait_a_little(int input) const noexcept {
    std::array<pollfd, 2> any{{{input, POLLIN, 0}, {pidfd_.get(), POLLIN, 0}}};  // -1 is ignored
    const timespec some{0, 10'000'000};
    return system_call(SYS_ppoll, any.data(), any.size(), &some, nullptr, 0L) > 0;
}

std::int64_t unseen_child::processor_time() const noexcept {
    timespec used{};
    const long clock_of_process = (~static_cast<long>(pid_) << 3) | 2;  // <linux/posix-timers.h>
    system_call(SYS_clock_gettime, clock_of_process, &used);
    return used.tv_sec * 1'000'000'000 + used.tv_nsec;
}

}  // namespace coir::detail
