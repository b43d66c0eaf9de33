// Works with every way of using coir: fibers run, and coir warns of a fiber that blocks its thread.
#include <coir/coir.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main() {
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
