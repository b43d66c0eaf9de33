#include "support/death.hpp"

#include "thread/thread_pool.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace {
bool leaks_are_forgotten = false;
}

/// Called by LeakSanitizer before its check (sanitizer/lsan_interface.h).
extern "C" int __lsan_is_turned_off() { return leaks_are_forgotten ? 1 : 0; }

namespace coir::test {

namespace {

constexpr unsigned seconds_max = 30;

[[noreturn]] void be_the_child(const std::function<void()>& body, int output) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::alarm(seconds_max);  // see main.cpp: prints the state of its fibers
    int code = 0;
    try {
        body();
    } catch (const std::exception& thrown) {
        std::fprintf(stderr, "thrown: %s\n", thrown.what());
        code = 3;
    } catch (...) {
        std::fprintf(stderr, "thrown: not a std::exception\n");
        code = 3;
    }
    std::fflush(nullptr);
    ::_exit(code);
}

}  // namespace

void require(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error{what};
}

int status_of(pid_t child) {
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

void forget_leaks() noexcept { leaks_are_forgotten = true; }

ending in_child(const std::function<void()>& body) {
    std::fflush(nullptr);  // otherwise the child would write it again
    // ThreadSanitizer aborts the child of a multi-threaded process when it creates a thread.
    detail::thread_pool::end_all_of_process();
    int ends[2];
    if (::pipe(ends) != 0) throw std::system_error{errno, std::generic_category(), "pipe"};
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error{errno, std::generic_category(), "fork"};
    if (child == 0) {
        ::close(ends[0]);
        be_the_child(body, ends[1]);
    }
    ::close(ends[1]);
    ending how;
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
        if (got > 0)
            how.output.append(buffer.data(), static_cast<std::size_t>(got));
        else if (got == 0 || errno != EINTR)
            break;
    }
    ::close(ends[0]);
    const int status = status_of(child);
    if (WIFSIGNALED(status))
        how.signal = WTERMSIG(status);
    else
        how.exit_code = WEXITSTATUS(status);
    return how;
}

}  // namespace coir::test
