// Works with every way of using coir: fibers run, coir warns of a fiber that blocks its thread, and a stack frame that is
// larger than the guard of a fiber's stack hits it.
#include <coir/coir.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

// Writes to the far end of a stack frame that reaches into the stack of another fiber.
[[gnu::noinline]] static void write_far() {
    volatile char frame[300 << 10];
    asm volatile("" : : "r"(frame) : "memory");
    for (int i = 16 << 10; i < 24 << 10; ++i) frame[i] = 'x';
}

// Whether a child process in which a fiber has such a frame ends with a fault.
static bool is_fault() {
    const pid_t child = ::fork();
    if (child == 0) {
        coir::run([] {
            auto other = coir::spawn([] { coir::this_fiber::sleep_for(1s); });
            coir::this_fiber::yield();
            coir::spawn(write_far).join();
        });
        ::_exit(0);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

int main() {
#if defined(__x86_64__)  // for others, pkg-config does not know whether the compiler has the option
    if (!is_fault()) {
        std::puts("a large stack frame has reached the stack of another fiber");
        return 1;
    }
#endif
    std::atomic<bool> reported = false;
    const coir::run_options options{.blocking = {.on_report = [&](const coir::blocking_report& report) {
                                        if (report.call.find("nanosleep") != std::string::npos) reported = true;
                                    }}};

    const int answer = coir::run(options, [] {
        auto fiber = coir::spawn({.name = "sleeper"}, [] {
            coir::this_fiber::sleep_for(1ms);
            return 42;
        });
        std::this_thread::sleep_for(20ms);  // the blocking call that coir must report
        return fiber.get();
    });

    if (answer != 42) std::puts("the fiber did not return its result");
    if (!reported) std::puts("std::this_thread::sleep_for in a fiber was not reported");
    return answer == 42 && reported ? 0 : 1;
}
