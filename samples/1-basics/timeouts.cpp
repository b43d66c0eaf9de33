// How to interrupt a fiber, with a stop or a timeout, and how a fiber completes work that must not be interrupted.
//
//     asyncio                                  coir
//     task.cancel()                            fiber.request_stop()
//     except asyncio.CancelledError            catch (const coir::cancelled&), or just destructors
//     await asyncio.wait_for(c, 0.1)           coir::with_timeout(100ms, f), or a deadline as a call's last argument
//     except asyncio.TimeoutError              catch (const coir::timed_out&)
//     async with asyncio.timeout(0.1)          coir::timeout_scope scope{100ms}
//     await asyncio.shield(c)                  coir::shield_scope: no interruption inside the scope
//
// coir::cancelled is not a std::exception, so `catch (const std::exception&)` does not swallow it by mistake. A stop is
// permanent: each following wait throws it again, until the fiber has ended.

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

double seconds_since(coir::clock::time_point began) {
    return std::chrono::duration<double>(coir::clock::now() - began).count();
}

void show_stop() {
    std::printf("a fiber that sleeps for an hour is asked to stop:\n");
    auto sleeper = coir::spawn([] {
        try {
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
            std::printf("  the sleep threw coir::cancelled; the fiber tidies up and lets it pass\n");
            throw;
        }
    });
    coir::this_fiber::sleep_for(10ms);
    sleeper.request_stop();
    try {
        sleeper.get();
    } catch (const coir::fiber_stopped& stopped) {
        std::printf("  get() threw coir::fiber_stopped: %s\n", stopped.what());
    }
}

void show_limits() {
    std::printf("an hour's work gets 100 ms:\n");
    const auto began = coir::clock::now();
    try {
        coir::with_timeout(100ms, [] { coir::this_fiber::sleep_for(1h); });
    } catch (const coir::timed_out&) {
        std::printf("  with_timeout threw coir::timed_out after %.2f s\n", seconds_since(began));
    }
    if (!coir::try_with_timeout(100ms, [] { coir::this_fiber::sleep_for(1h); })) {
        std::printf("  try_with_timeout returned false after %.2f s\n", seconds_since(began));
    }
    coir::channel<int> silent;
    try {
        silent.recv(100ms);  // the same timeout for one call
    } catch (const coir::timed_out&) {
        std::printf("  channel::recv(100ms) threw coir::timed_out after %.2f s\n", seconds_since(began));
    }
}

void show_scope() {
    std::printf("many steps of 20 ms share a limit of 100 ms:\n");
    int steps = 0;
    coir::timeout_scope limit{100ms};
    try {
        for (;; ++steps) coir::this_fiber::sleep_for(20ms);
    } catch (const coir::scope_expired&) {
        if (!limit.expired()) throw;  // the limit of an outer scope has expired
        std::printf("  %d steps were done when the scope expired\n", steps);
    }
}

void show_shield() {
    std::printf("a transfer of two steps is asked to stop between them:\n");
    auto transfer = coir::spawn([] {
        {
            const coir::shield_scope together;
            std::printf("  step 1: taken from one account\n");
            coir::this_fiber::sleep_for(50ms);  // would throw without the shield
            std::printf("  step 2: added to the other\n");
        }
        coir::this_fiber::throw_if_stopped();  // the first cancellation point after the shield throws
        std::printf("  never printed\n");
    });
    coir::this_fiber::sleep_for(10ms);
    transfer.request_stop();
    transfer.join();
    std::printf("  both steps were done, and then it stopped\n");
}

int main() {
    coir::run([] {
        show_stop();
        show_limits();
        show_scope();
        show_shield();
    });
}
