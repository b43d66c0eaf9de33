// A plugin: plain functions that use fibers.
#include <coir/coir.hpp>
#ifdef PLUGIN_HAS_TLS
#include <coir/net/tls.hpp>
#endif

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <time.h>

using namespace std::chrono_literals;

/// Returns 42, computed with fibers, timers, exceptions and a thread of the pool.
extern "C" int answer() {
    return coir::run([] {
        auto fiber = coir::spawn([] {
            coir::this_fiber::sleep_for(1ms);
            throw std::runtime_error{"thrown in a fiber"};
        });
        int sum = 0;
        try {
            fiber.join();
            fiber.get();
        } catch (const std::runtime_error&) {
            sum += 40;
        }
        auto stopped = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        stopped.request_stop();
        stopped.join();
#ifdef PLUGIN_HAS_TLS
        const auto context = coir::net::tls_context::client({.insecure_skip_verification = true});
        if (context.native_handle() == nullptr) return 0;
#endif
        return sum + coir::offload([] { return 2; });
    });
}

static std::chrono::nanoseconds processor_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

/// Returns how often a fiber with a long computation was reported; expected: once.
extern "C" int reports_of_a_hog() {
    int count = 0;
    coir::run({.blocking = {.stall_threshold = 20ms,
                            .on_report =
                                [&](const coir::blocking_report& report) {
                                    if (report.kind == coir::blocking_kind::hog) ++count;
                                }}},
              [&, began = processor_time()] {
                  // Processor time, not wall time: the watchdog does not count the time that a thread waits for a
                  // processor.
                  while (processor_time() - began < 300ms) {
                  }
              });
    return count;
}

/// Returns how often a call was reported that blocks for less than the watchdog's threshold.
extern "C" int reports_of_a_sleep() {
    int count = 0;
    coir::run({.blocking = {.on_report = [&](const coir::blocking_report&) { ++count; }}},
              [] { std::this_thread::sleep_for(5ms); });
    return count;
}

/// Copies the description of the calls that the detector cannot see here.
extern "C" void missing(char* text, unsigned long bytes) {
    std::strncpy(text, coir::run([] { return coir::active_engine().missing; }).c_str(), bytes - 1);
}
