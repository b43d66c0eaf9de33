// A plugin: plain functions, with fibers inside.
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

/// 42, by way of fibers, timers, exceptions and a thread of the pool.
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

/// How often a fiber that computes for long is reported: once.
extern "C" int reports_of_a_hog() {
    int count = 0;
    coir::run({.blocking = {.stall_threshold = 20ms,
                            .on_report =
                                [&](const coir::blocking_report& report) {
                                    if (report.kind == coir::blocking_kind::hog) ++count;
                                }}},
              [&, began = processor_time()] {
                  // Of processor time: on a busy machine the watchdog sees no computation in a thread that waits for
                  // its turn.
                  while (processor_time() - began < 300ms) {
                  }
              });
    return count;
}

/// How often a call that blocks for less time than the watchdog looks for is reported.
extern "C" int reports_of_a_sleep() {
    int count = 0;
    coir::run({.blocking = {.on_report = [&](const coir::blocking_report&) { ++count; }}},
              [] { std::this_thread::sleep_for(5ms); });
    return count;
}

/// What the detector cannot see here, in words.
extern "C" void missing(char* text, unsigned long bytes) {
    std::strncpy(text, coir::run([] { return coir::active_engine().missing; }).c_str(), bytes - 1);
}
