#include <coir/detail/wait_queue.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "core/scheduler.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using coir::detail::outcome;
using coir::detail::scheduler;
using coir::detail::wait_queue;
using coir::detail::waiter;
using coir::test::in_scheduler;

namespace {

std::string deadlock_of(const std::function<void()>& main) {
    try {
        in_scheduler(main);
    } catch (const coir::deadlock& thrown) { return thrown.what(); }
    return "no deadlock";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("deadlock: when nothing can wake the fibers that are left, run throws, with a line for each") {
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

TEST_CASE("deadlock: all fibers are stopped and have ended before it is thrown") {
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

TEST_CASE("deadlock: is thrown also when the fibers catch their stop and return") {
    const std::string what = deadlock_of([] {
        try {
            coir::this_fiber::sleep_until(coir::never);
        } catch (const coir::cancelled&) {}
    });
    CHECK(contains(what, "deadlock"));
}

TEST_CASE("deadlock: a fiber that sleeps, or one that is ready, is none") {
    const std::string what = deadlock_of([] {
        wait_queue queue{"the test"};
        auto waits = coir::spawn([&] { return queue.wait("test"); });
        coir::this_fiber::sleep_for(2ms);
        CHECK(queue.wake_one());
        CHECK(waits.get());
    });
    CHECK(what == "no deadlock");
}

TEST_CASE("deadlock: a wake that another thread owes is waited for") {
    const std::string what = deadlock_of([] {
        struct call : coir::detail::letter {
            explicit call(waiter& who)
                : letter{[](letter& self) noexcept { static_cast<call&>(self).me.wake(outcome::woken); }}, me{who} {}
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

TEST_CASE("deadlock: a stop callback may run, in a fiber") {
    bool in_fiber = false;
    const std::string what = deadlock_of([&] {
        const std::stop_callback callback{coir::this_fiber::stop_token(),
                                          [&] { in_fiber = coir::this_fiber::id() > 1; }};
        coir::this_fiber::sleep_until(coir::never);
    });
    CHECK(contains(what, "deadlock"));
    CHECK(in_fiber);
}

TEST_CASE("deadlock: a scheduler that had one can be followed by another") {
    CHECK(contains(deadlock_of([] { coir::this_fiber::sleep_until(coir::never); }), "deadlock"));
    CHECK(in_scheduler([] { return 1; }) == 1);
}
