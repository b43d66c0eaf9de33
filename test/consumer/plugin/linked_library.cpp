// A shared library that a program is linked with. It exports one function, named FUNCTION, which uses fibers.
#include <coir/coir.hpp>

#include <chrono>
#include <cstdint>
#include <set>
#include <signal.h>
#include <sys/wait.h>
#include <thread>

/// Returns at how many locations a blocking call was reported. Also makes calls that coir hooks, outside of fibers and in one.
extern "C" int FUNCTION() {
    struct sigaction action {};
    ::sigaction(SIGUSR1, nullptr, &action);
    ::waitpid(-1, nullptr, WNOHANG);
    std::set<std::uint64_t> seen;
    coir::run({.blocking = {.on_report = [&](const coir::blocking_report& report) { seen.insert(report.id); }}}, [] {
        ::waitpid(-1, nullptr, WNOHANG);
        coir::spawn([] { std::this_thread::sleep_for(std::chrono::milliseconds{20}); }).get();
    });
    return static_cast<int>(seen.size());
}
