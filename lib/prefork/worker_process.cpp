#include "prefork/worker_process.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace coir::detail {

std::string in_words(std::chrono::milliseconds duration) {
    const auto count = duration.count();
    if (count < 1'000) return std::to_string(count) + " ms";
    if (count < 120'000) return std::to_string(count / 1'000) + " s";
    return std::to_string(count / 60'000) + " min";
}

worker_process::worker_process(unsigned index, role as_what, bool shares_stats)
    : as{as_what}, index_{index}, stats_{shares_stats ? std::make_unique<shared_stats>() : nullptr} {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        throw std::system_error{errno, std::system_category(), "prefork: cannot create a pipe for a worker"};
    }
    ready_pipe_ = unique_fd{ends[0]};
    ready_end_ = unique_fd{ends[1]};
}

void worker_process::set_started(pid_t child, clock::time_point limit) {
    ready_end_ = {};
    id_ = child;
    began_ = clock::now();
    limit_ = limit;
    end_ = exit_watcher::of(child);
}

std::string worker_process::name() const {
    return "worker " + std::to_string(index_) + " (pid " + std::to_string(id_) + ')';
}

std::chrono::milliseconds worker_process::age() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began_);
}

bool worker_process::take_ready_notice() noexcept {
    char notice = 0;
    const long got = ready_pipe_ ? sys::read(ready_pipe_.get(), &notice, 1) : -EAGAIN;
    if (got < 0) return false;
    ready_pipe_ = {};  // the notice was read, or the worker can no longer send one
    if (got == 0 || as == role::retired) return false;
    limit_ = clock::time_point::max();
    return ready_ = true;
}

void worker_process::retire(clock::time_point limit) noexcept {
    as = role::retired;
    limit_ = limit;
    ::kill(id_, SIGTERM);
}

void worker_process::kill() noexcept {
    limit_ = clock::time_point::max();
    ::kill(id_, SIGKILL);
}

std::optional<std::string> worker_process::try_reap() {
    int status = 0;
    const pid_t reaped = ::waitpid(id_, &status, WNOHANG);
    if (reaped == 0) return std::nullopt;
    if (reaped < 0) return "has ended with an unknown status (SIGCHLD is ignored, or other code waited for it)";
    if (WIFEXITED(status)) return "ended with exit code " + std::to_string(WEXITSTATUS(status));
    const int signal = WTERMSIG(status);
    return "was killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ')';
}

}  // namespace coir::detail
