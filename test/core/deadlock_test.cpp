#include <coir/detail/core/wait_queue.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/once_flag.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/sync/shared_mutex.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "core/scheduler.hpp"
#include "support/captured_log.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using coir::detail::outcome;
using coir::detail::scheduler;
using coir::detail::wait_queue;
using coir::detail::waiter;
using coir::test::contains;
using coir::test::in_scheduler;

namespace {

std::string deadlock_of(const std::function<void()>& main) {
    try {
        in_scheduler(main);
    } catch (const coir::deadlock& thrown) {
        return thrown.what();
    }
    return "no deadlock";
}

std::string address_of(const auto& object) {
    std::ostringstream text;
    text << static_cast<const void*>(&object);
    return text.str();
}

/// The lines of the report that describe cycles.
std::string cycles_in(const std::string& report) {
    std::istringstream lines{report};
    std::string found;
    for (std::string line; std::getline(lines, line);) {
        if (line == "  cycle:" || line.starts_with("    fiber ")) found += line + '\n';
    }
    return found;
}

/// Spawns a fiber that locks `first`, then `second`.
auto takes(const char* name, auto& first, auto& then) {
    return coir::spawn({.name = name}, [&] {
        const std::scoped_lock held{first};
        coir::this_fiber::yield();
        const std::scoped_lock wanted{then};
    });
}

/// The report of two fibers that hold one mutex each and want the other's.
std::string deadlock_of_crossed(coir::mutex& one, coir::mutex& two) {
    return deadlock_of([&] {
        auto a = takes("a", one, two);
        auto b = takes("b", two, one);
        a.join();
    });
}

}  // namespace

TEST_CASE("deadlock: when nothing can wake the remaining fibers, run throws an exception with one line for each") {
    wait_queue queue{"a thing that never comes"};
    const std::string what = deadlock_of([&] {
        auto one = coir::spawn({.name = "one"}, [&] { static_cast<void>(queue.wait("test")); });
        auto two = coir::spawn({.name = "two"}, [] { coir::this_fiber::sleep_until(coir::never); });
        one.join();
    });
    CHECK(contains(what, "deadlock: nothing can wake the fibers that are left"));
    CHECK(contains(what, "fiber #1 \"main\": parked on the end of a fiber"));
    CHECK(contains(what, "fiber #2 \"one\": parked on a thing that never comes"));
    CHECK(contains(what, "fiber #3 \"two\": parked on sleep"));
}

TEST_CASE("deadlock: all fibers have been stopped and have ended before it is thrown") {
    int ended = 0;
    const std::string what = deadlock_of([&] {
        const auto waits = [&] {
            try {
                coir::this_fiber::sleep_until(coir::never);
            } catch (const coir::cancelled&) {
                ++ended;
                throw;
            }
        };
        auto one = coir::spawn(waits);
        coir::spawn(waits).detach();
        waits();
    });
    CHECK(contains(what, "deadlock"));
    CHECK(ended == 3);
}

TEST_CASE("deadlock: is thrown even if the fibers catch their stop and return") {
    const std::string what = deadlock_of([] {
        try {
            coir::this_fiber::sleep_until(coir::never);
        } catch (const coir::cancelled&) {
        }
    });
    CHECK(contains(what, "deadlock"));
}

TEST_CASE("deadlock: a sleeping or ready fiber prevents it") {
    const std::string what = deadlock_of([] {
        wait_queue queue{"the test"};
        auto waits = coir::spawn([&] { return queue.wait("test"); });
        coir::this_fiber::sleep_for(2ms);
        CHECK(queue.wake_one());
        CHECK(waits.get());
    });
    CHECK(what == "no deadlock");
}

TEST_CASE("deadlock: waits for a wake that another thread still has to send") {
    const std::string what = deadlock_of([] {
        struct call : coir::detail::message {
            explicit call(waiter& who)
                : message{[](message& self) noexcept { static_cast<call&>(self).me.wake(outcome::woken); }}, me{who} {}
            waiter& me;
        };
        scheduler& here = scheduler::get("test");
        waiter me{here.running(), "a thread"};
        call sent{me};
        here.inbox().expect();
        const coir::test::other_thread other{[&sent, &box = here.inbox()] {
            std::this_thread::sleep_for(5ms);
            box.post(sent);
        }};
        here.park(me, coir::never);
        here.inbox().expect_no_more();
    });
    CHECK(what == "no deadlock");
}

TEST_CASE("deadlock: stop callbacks run in a fiber") {
    bool in_fiber = false;
    const std::string what = deadlock_of([&] {
        const std::stop_callback callback{coir::this_fiber::stop_token(),
                                          [&] { in_fiber = coir::this_fiber::id() > 1; }};
        coir::this_fiber::sleep_until(coir::never);
    });
    CHECK(contains(what, "deadlock"));
    CHECK(in_fiber);
}

TEST_CASE("deadlock: after a deadlock, another scheduler can run") {
    CHECK(contains(deadlock_of([] { coir::this_fiber::sleep_until(coir::never); }), "deadlock"));
    CHECK(in_scheduler([] { return 1; }) == 1);
}

TEST_CASE(
    "deadlock: the report names the cycle of two fibers that wait for each other's mutex, with name and address") {
    const coir::test::captured_log quiet;  // the lock order check logs a warning as well
    coir::mutex one;
    coir::mutex two;
    const std::string what = deadlock_of_crossed(one, two);
    CHECK(contains(what, "fiber #2 \"a\": parked on mutex " + address_of(two) + " (held by #3 \"b\")"));
    CHECK(contains(what, "fiber #3 \"b\": parked on mutex " + address_of(one) + " (held by #2 \"a\")"));
    CHECK(cycles_in(what) == "  cycle:\n    fiber #2 \"a\" waits for a mutex (" + address_of(two) +
                                 ") that fiber #3 \"b\" holds\n    fiber #3 \"b\" waits for a mutex (" +
                                 address_of(one) + ") that fiber #2 \"a\" holds\n");
}

TEST_CASE("deadlock: a cycle may include joins, a recursive_mutex, a shared_mutex and call_once") {
    const coir::test::captured_log quiet;
    coir::recursive_mutex recursive;
    coir::shared_mutex shared;
    coir::once_flag flag;
    coir::fiber<void> first;
    const std::string what = deadlock_of([&] {
        first = coir::spawn({.name = "first"}, [&] {
            const std::scoped_lock held{recursive};
            coir::this_fiber::yield();
            const std::shared_lock wanted{shared};
        });
        auto second = coir::spawn({.name = "second"}, [&] {
            const std::scoped_lock held{shared};
            coir::this_fiber::yield();
            coir::call_once(flag, [] {});
        });
        auto third = coir::spawn({.name = "third"}, [&] {
            coir::call_once(flag, [&] {
                coir::this_fiber::yield();
                const std::scoped_lock wanted{recursive};
            });
        });
        first.join();
        first = {};
    });
    CHECK(contains(what, "fiber #1 \"main\": parked on the end of a fiber (#2 \"first\")"));
    CHECK(cycles_in(what) ==
          "  cycle:\n    fiber #2 \"first\" waits for a shared_mutex (" + address_of(shared) +
              ") that fiber #3 \"second\" holds\n    fiber #3 \"second\" waits for a call_once (" + address_of(flag) +
              ") that fiber #4 \"third\" holds\n    fiber #4 \"third\" waits for a recursive_mutex (" +
              address_of(recursive) + ") that fiber #2 \"first\" holds\n");
}

TEST_CASE("deadlock: the report has the stack of each fiber") {
    coir::mutex one;
    coir::mutex two;
    const std::string what = deadlock_of_crossed(one, two);
    INFO(what);
    CHECK(contains(what, "takes<coir::mutex, coir::mutex>"));
    if (coir::detail::has_source_lines()) CHECK(contains(what, "deadlock_test.cpp:"));
}

TEST_CASE("deadlock: fibers that join each other are a cycle") {
    const std::string what = deadlock_of([&] {
        coir::fiber<void> a;
        auto b = coir::spawn([&] { a.join(); });
        a = coir::spawn([&] { b.join(); });
        coir::this_fiber::sleep_until(coir::never);
    });
    CHECK(cycles_in(what) ==
          "  cycle:\n    fiber #2 waits for the end of fiber #3\n    fiber #3 waits for the end of fiber #2\n");
}

TEST_CASE("deadlock: each cycle is reported once, and a chain that leads into it is not a cycle") {
    const coir::test::captured_log quiet;
    coir::mutex mutexes[4];
    const std::string what = deadlock_of([&] {
        auto outside = coir::spawn([&] {
            coir::this_fiber::yield();
            mutexes[0].lock();
        });
        auto a = takes("a", mutexes[0], mutexes[1]);
        auto b = takes("b", mutexes[1], mutexes[0]);
        auto c = takes("c", mutexes[2], mutexes[3]);
        auto d = takes("d", mutexes[3], mutexes[2]);
        outside.join();
    });
    const std::string cycles = cycles_in(what);
    CHECK(std::count(cycles.begin(), cycles.end(), '\n') == 6);
    CHECK(contains(cycles, "cycle:\n    fiber #3 \"a\" waits"));
    CHECK(contains(cycles, "cycle:\n    fiber #5 \"c\" waits"));
    CHECK_FALSE(contains(cycles, "#2"));
}

TEST_CASE("deadlock: the report says that the holder of a mutex has ended, and does not access its freed record") {
    coir::mutex abandoned;
    const std::string what = deadlock_of([&] {
        coir::spawn({.name = "leaver"}, [&] { abandoned.lock(); }).detach();
        coir::this_fiber::yield();
        abandoned.lock();
    });
    CHECK(contains(what, "parked on mutex " + address_of(abandoned) + " (held by a fiber that has ended)"));
    CHECK(cycles_in(what).empty());
}

TEST_CASE("deadlock: no holder is named for a shared_mutex held by readers") {
    coir::shared_mutex mutex;
    const std::string what = deadlock_of([&] {
        auto reader = coir::spawn([&] {
            const std::shared_lock held{mutex};
            coir::this_fiber::sleep_until(coir::never);
        });
        coir::this_fiber::yield();
        mutex.lock();
    });
    CHECK(contains(what, "fiber #1 \"main\": parked on shared_mutex"));
    CHECK(cycles_in(what).empty());
}
