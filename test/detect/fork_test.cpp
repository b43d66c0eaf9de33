// The detector in a process that was forked in a fiber.
#include "base/sanitizers.hpp"

#if !defined(COIR_TSAN)  // ThreadSanitizer does not support threads in the child of a multi-threaded process

#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "detect/reports.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

using coir::blocking_engine;
using coir::test::ending;
using coir::test::in_child;
using coir::test::reports;
using namespace std::chrono_literals;

namespace {

void sleep_a_moment() {
    const timespec moment{0, 1'000'000};
    ::nanosleep(&moment, nullptr);
}

reports reports_of_a_sleep(blocking_engine engine) {
    reports seen{{.engine = engine}};
    coir::run(seen.options(), [] {
        coir::this_fiber::yield();
        sleep_a_moment();
    });
    return seen;
}

}  // namespace

TEST_CASE("fork: detection is off in a forked process, until it runs fibers with its own detector") {
    for (const blocking_engine engine : {blocking_engine::watch, blocking_engine::hooks, blocking_engine::trap}) {
        CAPTURE(static_cast<int>(engine));
        const ending parent = in_child([&] {
            const coir::test::captured_log quiet;
            reports parents{{.engine = engine}};
            coir::run(parents.options(), [&] {
                // AddressSanitizer's allocator is not unlocked in a child of fork, and the watchdog's thread, which has
                // just begun, allocates: in a child forked meanwhile the first thread would never get its memory.
                if constexpr (coir::test::address_sanitized) coir::this_fiber::sleep_for(100ms);
                const coir::allow_blocking permit{"the child is waited for"};
                const ending child = in_child([&] {
                    if (coir::active_engine().on) throw std::runtime_error{"somebody looks"};
                    sleep_a_moment();
                    const std::size_t expected = engine == blocking_engine::watch ? 0 : 1;
                    for (int i = 0; i < 2; ++i) {
                        if (reports_of_a_sleep(engine).all().size() != expected) throw std::runtime_error{"reports"};
                    }
                });
                if (child.died()) throw std::runtime_error{child.output};
            });
            if (!parents.all().empty()) throw std::runtime_error{"the parent has reports"};
        });
        INFO(parent.output);
        CHECK_FALSE(parent.died());
    }
}

TEST_CASE("fork: a process forked in a fiber with traps ends with a message at the end of the fiber") {
    const ending parent = in_child([] {
        reports seen{{.engine = blocking_engine::trap}};
        coir::run(seen.options(), [] {
            const coir::allow_blocking permit{"the child is waited for"};
            const pid_t child = ::fork();
            if (child == 0) return;
            int status = 0;
            if (::waitpid(child, &status, 0) != child || status == 0) throw std::runtime_error{"no abort"};
            coir::this_fiber::yield();
        });
    });
    INFO(parent.output);
    CHECK_FALSE(parent.died());
    CHECK(parent.says("reached the end of fiber #1 \"main\""));
}
#endif
