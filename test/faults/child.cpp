#include "faults/child.hpp"

#include "faults/verdict.hpp"
#include "support/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace coir::faults {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto time_limit = test::sanitized ? 60s : 10s;

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::_Exit(70);
}

/// Abandoned work on a thread may be replacing a file. The end of the process would cut it short.
void await_replacements(const std::filesystem::path& folder) {
    const auto is_new = [](const auto& each) { return each.path().native().find(".new-") != std::string::npos; };
    for (int tries = 0; tries < 1000; ++tries) {
        const std::filesystem::directory_iterator all{folder};
        if (std::none_of(begin(all), end(all), is_new)) return;
        ::usleep(1000);
    }
}

void write_text(std::span<char> into, const std::string& text) {
    const std::size_t bytes = std::min(text.size(), into.size() - 1);
    std::memcpy(into.data(), text.data(), bytes);
    into[bytes] = 0;
}

}  // namespace

/// What the child tells its parent.
struct child::shared {
    injection injected;
    std::atomic<bool> judged{false};
    std::atomic<bool> returned{false};
    std::array<char, 1000> failure{};
    std::array<char, 1000> result{};
    std::array<char, 2000> descriptors{};
};

child::child() : log_{::memfd_create("log", MFD_CLOEXEC)} {
    if (log_ < 0) give_up("memfd_create");
    void* const memory = ::mmap(nullptr, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) give_up("mmap");
    shared_ = ::new (memory) shared;
    // Processes that a run leaves behind become ours, so that they are noticed.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

child::~child() {
    ::munmap(shared_, sizeof(shared));
    ::close(log_);
}

void child::start(const program& of, const fault& planned, const expectation* expected) {
    shared_ = ::new (shared_) shared;
    shared_->injected.planned = planned;
    if (::ftruncate(log_, 0) != 0) give_up("ftruncate");
    std::fflush(nullptr);
    killed_ = false;
    until_ = steady_clock::now() + time_limit;
    process_ = ::fork();
    if (process_ < 0) give_up("fork");
    if (process_ == 0) be_the_child(of, expected);
    ::setpgid(process_, process_);  // also in the child, as either may run first
    pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, process_, 0));
    if (pidfd_ < 0) give_up("pidfd_open");
}

void child::be_the_child(const program& of, const expectation* expected) {
    ::setpgid(0, 0);
    ::lseek(log_, 0, SEEK_SET);
    ::dup2(log_, STDOUT_FILENO);
    ::dup2(log_, STDERR_FILENO);
    log_ = STDERR_FILENO;
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);

    const judged_run run = run_judged(of, folder_.path(), shared_->injected);
    write_text(shared_->result, run.result);
    write_text(shared_->descriptors, run.descriptors);
    if (expected != nullptr)
        write_text(shared_->failure, judge(run, *expected, shared_->injected.planned, end_of_log()));
    else if (!run.returned)
        write_text(shared_->failure, run.errors.empty() ? "an exception" : run.errors.front().text);
    await_replacements(folder_.path());
    shared_->returned = run.returned;
    shared_->judged = true;
    std::exit(0);
}

bool child::has_ended() {
    if (const pid_t reaped = ::waitpid(process_, &status_, WNOHANG); reaped == process_) return true;
    if (steady_clock::now() < until_) return false;
    killed_ = true;
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, &status_, 0);
    return true;
}

outcome child::take() {
    ::close(pidfd_);
    pidfd_ = -1;
    outcome how{.failure = {}, .injected = shared_->injected.done};
    const std::string left = what_is_left();
    if (killed_)
        how.failure = shared_->judged ? "hangs at its exit" : "hangs";
    else if (WIFSIGNALED(status_))
        how.failure = std::string{"killed by "} + ::strsignal(WTERMSIG(status_));
    else if (WEXITSTATUS(status_) != 0 || !shared_->judged)
        how.failure = "exit code " + std::to_string(WEXITSTATUS(status_));
    else if (shared_->failure[0] != 0)
        how.failure = shared_->failure.data();
    else
        how.failure = left;
    if (!how.failure.empty()) how.failure += end_of_log();
    return how;
}

outcome child::wait() {
    while (!has_ended()) wait_for_any({this, 1});
    return take();
}

expectation child::seen() const {
    expectation all{.result = shared_->result.data(), .descriptors = shared_->descriptors.data(), .counts = {}};
    for (std::size_t i = 0; i < calls_max; ++i) all.counts[i] = shared_->injected.counts[i];
    return all;
}

/// Ends and removes it.
std::string child::what_is_left() {
    std::string left;
    const auto until = steady_clock::now() + 1s;
    for (;;) {
        const pid_t reaped = ::waitpid(-process_, nullptr, WNOHANG);
        if (reaped < 0) break;
        if (reaped > 0) continue;
        if (steady_clock::now() > until) {
            left = "leaves a process behind";
            ::kill(-process_, SIGKILL);
        }
        ::usleep(1000);
    }
    // A close that cannot look at its file, or cannot remove it, leaves it, and cannot report that.
    const std::string_view failing = all_calls()[shared_->injected.planned.call].name;
    const bool excused = shared_->returned && (failing == "newfstatat" || failing == "unlinkat");
    for (const auto& each : std::filesystem::directory_iterator{folder_.path()}) {
        const std::string name = each.path().filename().string();
        if (!excused && name != "file" && name != "settings") left = "leaves a file behind: " + name;
        std::filesystem::remove_all(each.path());
    }
    return left;
}

std::string child::end_of_log() const {
    std::string text(2000, 0);
    const off_t bytes = ::lseek(log_, 0, SEEK_END);
    const ssize_t got = ::pread(log_, text.data(), text.size(), std::max<off_t>(0, bytes - 2000));
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text.empty() ? text : "\n    | " + text;
}

void wait_for_any(std::span<child> children) {
    std::vector<pollfd> all;
    for (const child& each : children)
        if (each.pidfd() >= 0) all.push_back({each.pidfd(), POLLIN, 0});
    ::poll(all.data(), all.size(), 100);
}

int run_here(const program& of, const fault& planned) {
    auto injected = std::make_unique<injection>();
    injected->planned = planned;
    const test::temporary_folder folder;
    const judged_run run = run_judged(of, folder.path(), *injected);
    std::printf("%s%s\n", run.returned ? "returned: " : "threw", one_line(run.result).c_str());
    for (const failure& each : run.errors) std::printf("    code %d: %s\n", each.code, each.text.c_str());
    std::printf("%s", injected->done ? "" : "the call was not made\n");
    return 0;
}

std::string name_of_error(int error) {
    const char* const name = error > 0 ? ::strerrorname_np(error) : nullptr;
    return name != nullptr ? name : std::to_string(error);
}

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

}  // namespace coir::faults
