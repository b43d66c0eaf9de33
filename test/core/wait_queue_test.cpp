#include <coir/detail/core/wait_queue.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::detail::wait_queue;
using coir::test::in_scheduler;
using coir::test::other_thread;

namespace {

bool wake_one(wait_queue& queue) { return static_cast<bool>(queue.wake_one()); }

}  // namespace

TEST_CASE("wait_queue: fibers are woken in the order in which they started to wait") {
    in_scheduler([] {
        wait_queue queue{"the test"};
        std::string order;
        std::vector<coir::fiber<void>> fibers;
        for (const char name : {'a', 'b', 'c'}) {
            fibers.push_back(coir::spawn([&, name] {
                CHECK(queue.wait("test"));
                order += name;
            }));
        }
        coir::this_fiber::yield();
        CHECK_FALSE(queue.empty());
        CHECK(wake_one(queue));
        coir::this_fiber::yield();
        CHECK(order == "a");
        queue.wake_all();
        CHECK(queue.empty());
        for (auto& each : fibers) each.join();
        CHECK(order == "abc");
    });
}

TEST_CASE("wait_queue: waking an empty queue wakes no fiber") {
    in_scheduler([] {
        wait_queue queue{"the test"};
        CHECK(queue.empty());
        CHECK_FALSE(wake_one(queue));
        queue.wake_all();
    });
}

TEST_CASE("wait_queue: a waiter that gave up is skipped") {
    in_scheduler([] {
        wait_queue queue{"the test"};
        bool served = false;
        auto late = coir::spawn([&] { return queue.wait("test", 1ms); });
        auto next = coir::spawn([&] { served = queue.wait("test"); });
        CHECK_FALSE(late.get());
        CHECK(wake_one(queue));
        next.join();
        CHECK(served);
        CHECK_FALSE(wake_one(queue));
    });
}

TEST_CASE("wait_queue: a wait with a passed deadline lets other fibers run, and then times out") {
    in_scheduler([] {
        wait_queue queue{"the test"};
        bool ran = false;
        auto other = coir::spawn([&] { ran = true; });
        CHECK_FALSE(queue.wait("test", -1s));
        CHECK(ran);
        CHECK(queue.empty());
    });
}

TEST_CASE("wait_queue: waiting outside a fiber throws an error that names the call") {
    wait_queue queue{"the test"};
    CHECK_THROWS_WITH_AS(static_cast<void>(queue.wait("mutex::lock")),
                         "mutex::lock was called outside a fiber: call it within coir::run", coir::not_in_fiber);
}

TEST_CASE("wait_queue: belongs to the scheduler that first used it, while that scheduler runs") {
    in_scheduler([] {
        wait_queue queue{"the test"};
        queue.bind_owner("test");
        {
            const other_thread other{[&] {
                CHECK_THROWS_AS(queue.bind_owner("test"), coir::wrong_scheduler);  // called in a plain thread
                in_scheduler([&] { CHECK_THROWS_AS(static_cast<void>(queue.wait("test")), coir::wrong_scheduler); });
            }};
        }
        queue.bind_owner("test");
    });
}

TEST_CASE("wait_queue: is adopted by the next scheduler after its own has ended") {
    wait_queue queue{"the test"};
    for (int round = 0; round < 3; ++round) {
        in_scheduler([&] {
            auto waits = coir::spawn([&] { return queue.wait("test"); });
            coir::this_fiber::yield();
            CHECK(wake_one(queue));
            CHECK(waits.get());
        });
    }
    const other_thread other{[&] { in_scheduler([&] { CHECK_FALSE(queue.wait("test", 1ms)); }); }};
}

TEST_CASE("wait_queue: destroying it while fibers wait aborts") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            coir::fiber<bool> waits;
            wait_queue queue{"the test"};
            waits = coir::spawn([&] { return queue.wait("test"); });
            coir::this_fiber::yield();
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("an object is destroyed while fibers wait on it"));
}
