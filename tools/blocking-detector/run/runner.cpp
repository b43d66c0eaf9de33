#include "run/runner.hpp"

#include "base/unique_fd.hpp"
#include "run/process_tree.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace detector {

namespace {

using coir::detail::unique_fd;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC

constexpr auto grace = 3s;  // between SIGTERM and SIGKILL

/// Blocks the signals during its lifetime, so that they can be waited for.
class waited_signals {
public:
    waited_signals() {
        ::sigemptyset(&all_);
        for (const int each : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&all_, each);
        ::sigprocmask(SIG_BLOCK, &all_, &before_);
    }
    ~waited_signals() { restore(); }
    waited_signals(const waited_signals&) = delete;
    waited_signals& operator=(const waited_signals&) = delete;

    void restore() const noexcept { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

    /// Waits for a signal. Returns false if none arrived before `until`.
    bool wait_until(std::optional<clock::time_point> until, siginfo_t& came) const {
        if (!until) return ::sigwaitinfo(&all_, &came) > 0;
        const auto left = std::max(clock::duration{0}, *until - clock::now());
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        const timespec length{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
        return ::sigtimedwait(&all_, &came, &length) > 0;
    }

private:
    sigset_t all_{};
    sigset_t before_{};
};

/// In the child: executes the program. If that fails, writes the errno to the pipe `error_pipe`.
[[noreturn]] void execute(const std::vector<std::string>& program,
                          const std::vector<std::pair<std::string, std::string>>& variables, int error_pipe) {
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> arguments;
    for (const std::string& each : program) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments.front(), arguments.data());
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(error_pipe, &error, sizeof error);
    ::_exit(127);
}

/// Starts the program and returns its process id after a successful execve(2).
pid_t start(const std::vector<std::string>& program, const std::vector<std::pair<std::string, std::string>>& variables,
            const waited_signals& signals) {
    const auto refuse = [&](int error) { throw std::system_error{error, std::generic_category(), program.front()}; };
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) refuse(errno);
    const unique_fd reading{ends[0]};
    unique_fd writing{ends[1]};
    const pid_t child = ::fork();
    if (child < 0) refuse(errno);
    if (child == 0) {
        signals.restore();
        execute(program, variables, writing.get());
    }
    writing = unique_fd{};
    int error = 0;
    if (::read(reading.get(), &error, sizeof error) == sizeof error) {
        ::waitpid(child, nullptr, 0);
        refuse(error);
    }
    return child;
}

/// Reaps all children that have ended. Returns whether the program is among them.
bool has_ended(pid_t program, int& status) {
    int how = 0;
    bool ended = false;
    // The other children are orphans of the program, adopted because of PR_SET_CHILD_SUBREAPER.
    for (pid_t each = 0; (each = ::waitpid(-1, &how, WNOHANG)) > 0;) {
        if (each != program) continue;
        status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
        ended = true;
    }
    return ended;
}

/// Waits until all children have ended, `until`, or a signal other than SIGCHLD.
void wait_for_children(const waited_signals& signals, clock::time_point until) {
    siginfo_t came{};
    do {
        pid_t each = 0;
        while ((each = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
        }
        if (each < 0) return;  // ECHILD
    } while (signals.wait_until(until, came) && came.si_signo == SIGCHLD);
}

}  // namespace

run_ending run_program(const std::vector<std::string>& program,
                       const std::vector<std::pair<std::string, std::string>>& variables,
                       std::optional<std::chrono::nanoseconds> timeout, std::chrono::nanoseconds patience) {
    const waited_signals signals;
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans of the program become children of the tool, which can kill them
    run_ending ending{.pid = start(program, variables, signals)};
    std::optional<clock::time_point> until;
    if (timeout) until = clock::now() + *timeout;
    while (!has_ended(ending.pid, ending.status)) {
        siginfo_t came{};
        if (signals.wait_until(until, came)) {
            // A signal from the terminal (sent by the kernel) has reached the program already.
            if (came.si_signo != SIGCHLD && came.si_code != SI_KERNEL) ::kill(ending.pid, came.si_signo);
        } else if (errno == EAGAIN && !std::exchange(ending.timed_out, true)) {
            ::kill(ending.pid, SIGTERM);
            until = clock::now() + grace;
        } else if (errno == EAGAIN) {
            kill_descendants(::getpid());
            until = clock::now() + grace;
        }
    }
    ending.when = std::chrono::nanoseconds{clock::now().time_since_epoch()}.count();
    if (ending.timed_out) {
        kill_descendants(::getpid());
        return ending;
    }
    if (patience > 0s) wait_for_children(signals, clock::now() + patience);
    ending.survivors = descendants_of(::getpid());
    return ending;
}

}  // namespace detector
