#include "base/child_answer.hpp"

#include "base/sys.hpp"
#include "base/system_call.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t answer_max = std::size_t{16} << 20;
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

bool write_all(int to, const void* from, std::size_t bytes) noexcept {
    const auto* at = static_cast<const char*>(from);
    while (bytes > 0) {
        const long written = sys::write(to, at, bytes);
        if (written <= 0) return false;
        at += written;
        bytes -= static_cast<std::size_t>(written);
    }
    return true;
}

[[noreturn]] void answer(const std::function<std::string()>& work, const child_limits& limits, int to,
                         long parent) noexcept {
    system_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (system_call(SYS_getppid) != parent) end(EXIT_FAILURE);  // it had ended before
    forget_signal_handlers();
    close_all_but(to);
    give_way(limits);
    guarded.enter();
    try {
        const std::string text = work();
        const std::uint64_t bytes = text.size();
        if (write_all(to, &bytes, sizeof bytes) && write_all(to, text.data(), text.size())) end(EXIT_SUCCESS);
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

/// Waits for up to 10 ms. Returns whether a descriptor is ready; -1 is ignored.
template <std::size_t Count> bool wait_for(std::array<pollfd, Count> any) noexcept {
    const timespec some{0, 10'000'000};
    return system_call(SYS_ppoll, any.data(), Count, &some, nullptr, 0L) > 0;
}

/// A child that answers. The destructor kills it.
class child {
public:
    child(const std::function<std::string()>& work, const child_limits& limits) : time_{limits.time} {
        int ends[2];
        if (const long result = sys::pipe(ends, O_CLOEXEC); result != 0) {
            error_ = static_cast<int>(-result);
            return;
        }
        from_ = unique_fd{ends[0]};
        const unique_fd to{ends[1]};
        sys::set_nonblocking(from_.get());  // another child of the program may keep the other end open
        const long parent = system_call(SYS_getpid);
        int pidfd = -1;
        const all_signals_blocked quiet;
        const long pid = start_child(pidfd);
        if (pid == 0) answer(work, limits, to.get(), parent);
        pidfd_ = unique_fd{pidfd};
        pid_ = static_cast<pid_t>(std::max(pid, 0L));
        error_ = static_cast<int>(std::max(-pid, 0L));
    }
    ~child() {
        if (pid_ == 0) return;
        // Without a pidfd, the number may be another process's by now, if the program itself waits with __WALL.
        if (!pidfd_ || sys::may_be_unavailable(sys::pidfd_send_signal(pidfd_.get(), SIGKILL))) sys::kill(pid_, SIGKILL);
        // A process that waits for a disk which hangs does not even die: it is left behind.
        siginfo_t how{};
        for (int waits = 0; waits < waits_for_end_max; ++waits) {
            const long result = sys::waitid(P_PID, pid_, &how, WEXITED | WNOHANG | __WCLONE);
            if (result != 0 || how.si_pid != 0) return;
            wait_for<1>({pollfd{pidfd_.get(), POLLIN, 0}});
        }
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// The errno if there is no child; otherwise 0.
    [[nodiscard]] int error() const noexcept { return error_; }

    /// Reads until the answer is complete, the time is over, or the child has used no processor time for `idle_max`.
    child_answer read(std::chrono::milliseconds idle_max);

private:
    [[nodiscard]] std::int64_t processor_time() const noexcept {
        timespec used{};
        const long clock_of_process = (~static_cast<long>(pid_) << 3) | 2;  // <linux/posix-timers.h>
        system_call(SYS_clock_gettime, clock_of_process, &used);
        return used.tv_sec * 1'000'000'000 + used.tv_nsec;
    }

    const std::chrono::milliseconds time_;
    unique_fd from_;
    unique_fd pidfd_;
    pid_t pid_ = 0;
    int error_ = 0;
};

child_answer child::read(std::chrono::milliseconds idle_max) {
    using enum child_answer::ending;
    std::string text;
    std::array<char, 4096> some;
    const auto began = clock::now();
    auto last_progress = began;
    std::int64_t used_before = 0;
    for (auto now = began; now - began < time_; now = clock::now()) {
        if (wait_for<2>({pollfd{from_.get(), POLLIN, 0}, pollfd{pidfd_.get(), POLLIN, 0}})) {
            const long got = sys::read(from_.get(), some.data(), some.size());
            if (got <= 0) return {.how = died};
            text.append(some.data(), static_cast<std::size_t>(got));
            std::uint64_t bytes = answer_max;
            if (text.size() >= sizeof bytes) std::memcpy(&bytes, text.data(), sizeof bytes);
            if (bytes > answer_max) return {.how = died};
            if (text.size() == sizeof bytes + bytes) return {.how = answered, .text = text.substr(sizeof bytes)};
            continue;
        }
        const std::int64_t used = processor_time();
        if (used != used_before) last_progress = now;
        used_before = used;
        if (now - last_progress >= idle_max) break;
    }
    return {.how = took_long};
}

}  // namespace

child_answer ask_child(const std::function<std::string()>& work, const child_limits& limits) {
    const auto began = clock::now();
    child_answer last;
    // A child that uses no processor time waits for a lock of a thread that does not exist in it, or for a slow disk: the
    // last child gets all the time.
    for (const auto idle_max : {limits.time / 50, limits.time / 10, limits.time}) {
        child asked{work, limits};
        if (asked.error() != 0) return {.how = child_answer::ending::refused, .text = {}, .error = asked.error()};
        last = asked.read(idle_max);
        if (last.how != child_answer::ending::took_long || clock::now() - began >= limits.time) break;
    }
    return last;
}

}  // namespace coir::detail
