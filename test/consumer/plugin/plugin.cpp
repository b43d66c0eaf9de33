// A plugin: plain functions that use fibers.
#include <coir/coir.hpp>
#ifdef PLUGIN_HAS_TLS
#include <coir/net/tls.hpp>
#endif

#include <chrono>
#include <cstdint>
#include <cstring>
#include <set>
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

/// Returns at how many locations a long computation was reported; expected: one.
extern "C" int reports_of_a_hog() {
    std::set<std::uint64_t> seen;
    coir::run({.blocking = {.stall_threshold = 20ms,
                            .on_report =
                                [&](const coir::blocking_report& report) {
                                    if (report.kind == coir::blocking_kind::hog) seen.insert(report.id);
                                }}},
              [&, began = processor_time()] {
                  // Processor time, not wall time: the watchdog does not count the time that a thread waits for a
                  // processor.
                  while (processor_time() - began < 300ms) {
                  }
              });
    return static_cast<int>(seen.size());
}

/// Returns at how many locations a call was reported that blocks for less than the watchdog's threshold.
extern "C" int reports_of_a_sleep() {
    std::set<std::uint64_t> seen;
    coir::run({.blocking = {.on_report = [&](const coir::blocking_report& report) { seen.insert(report.id); }}},
              [] { std::this_thread::sleep_for(5ms); });
    return static_cast<int>(seen.size());
}

/// Copies the description of the calls that the detector cannot see here.
extern "C" void missing(char* text, unsigned long bytes) {
    std::strncpy(text, coir::run([] { return coir::active_engine().missing; }).c_str(), bytes - 1);
}
