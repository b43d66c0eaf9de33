#include <coir/dump.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/wait_queue.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"
#include "support/waiting_fibers.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <sstream>
#include <string>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

namespace {

auto waiting(coir::wait_queue& queue, std::string& log, char name) {
    return coir::spawn([&, name] {
        queue.wait();
        log += name;
    });
}

}  // namespace

TEST_CASE("coir::wait_queue: wake_one wakes the longest waiter, and returns whether there was one") {
    in_scheduler([] {
        coir::wait_queue queue{"news"};
        std::string log;
        CHECK(queue.empty());
        CHECK_FALSE(queue.wake_one());
        auto a = waiting(queue, log, 'a');
        auto b = waiting(queue, log, 'b');
        coir::this_fiber::yield();
        CHECK_FALSE(queue.empty());
        CHECK(queue.wake_one());
        CHECK(log.empty());  // runs after the fibers that are already ready
        a.get();
        CHECK(log == "a");
        CHECK(queue.wake_one());
        CHECK(queue.empty());
        b.get();
        CHECK(log == "ab");
    });
}

TEST_CASE("coir::wait_queue: wake_all wakes all current waiters, in the order in which they started to wait") {
    in_scheduler([] {
        coir::wait_queue queue{"news"};
        std::string log;
        auto a = waiting(queue, log, 'a');
        auto b = waiting(queue, log, 'b');
        coir::this_fiber::yield();
        queue.wake_all();
        auto late = waiting(queue, log, 'c');
        b.get();
        coir::this_fiber::yield();
        CHECK(log == "ab");
        CHECK(queue.wake_one());
        late.get();
    });
}

TEST_CASE("coir::wait_queue: a wait ends at its deadline with timed_out or false") {
    in_scheduler([] {
        coir::wait_queue queue{"news"};
        CHECK_THROWS_WITH_AS(queue.wait(1ms), doctest::Contains("news"), coir::timed_out);
        CHECK_FALSE(queue.wait_for(1ms));
        CHECK_FALSE(queue.wait_until(std::chrono::steady_clock::now()));
        CHECK(queue.empty());
        auto waker = coir::spawn([&] { queue.wake_one(); });
        CHECK(queue.wait_for(1h));
        waker.get();
    });
}

TEST_CASE("coir::wait_queue: a waiter that gave up is not woken, and the wake goes to the next") {
    in_scheduler([] {
        coir::wait_queue queue{"news"};
        std::string log;
        auto stopped = waiting(queue, log, 's');
        auto expired = coir::spawn([&] { coir::with_timeout(1ms, [&] { queue.wait(); }); });
        auto next = waiting(queue, log, 'n');
        CHECK_THROWS_AS(expired.get(), coir::timed_out);
        stopped.request_stop();
        CHECK(queue.wake_one());
        CHECK_FALSE(queue.wake_one());
        next.get();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(log == "n");
    });
}

TEST_CASE("coir::wait_queue: the wait of a fiber woken before it was stopped returns") {
    in_scheduler([] {
        coir::wait_queue queue{"news"};
        std::string log;
        auto woken = waiting(queue, log, 'w');
        coir::this_fiber::yield();
        CHECK(queue.wake_one());
        woken.request_stop();
        woken.get();
        CHECK(log == "w");
    });
}

TEST_CASE("coir::wait_queue: timed out, then woken in the same round: the wake is not used up") {
    in_scheduler([] {
        coir::wait_queue queue{"news"};
        const coir::deadline at = 2ms;
        auto late = coir::spawn([&] { CHECK_FALSE(queue.wait_until(at)); });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        CHECK_FALSE(late.done());
        CHECK_FALSE(queue.wake_one());
        late.get();
    });
}

TEST_CASE("coir::wait_queue: a dump names the object that is waited for") {
    in_scheduler([] {
        coir::wait_queue queue{"a ticket"};
        std::string log;
        auto visitor = waiting(queue, log, 'v');
        coir::this_fiber::yield();
        std::ostringstream out;
        coir::dump_fibers(out);
        CHECK(out.str().find("a ticket") != std::string::npos);
        queue.wake_all();
        visitor.get();
    });
}

TEST_CASE("coir::wait_queue: outside its scheduler a call throws") {
    coir::wait_queue queue{"news"};
    CHECK_THROWS_AS(queue.wait(), coir::not_in_fiber);
    CHECK_THROWS_AS(queue.wake_one(), coir::wrong_scheduler);
    in_scheduler([&] {
        queue.wake_all();
        coir::offload([&] {
            CHECK_THROWS_AS(queue.wake_all(), coir::wrong_scheduler);
            in_scheduler([&] {
                CHECK_THROWS_AS(queue.wait(), coir::wrong_scheduler);
                CHECK_THROWS_AS(queue.wake_one(), coir::wrong_scheduler);
            });
        });
    });
}

TEST_CASE("coir::wait_queue: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto queue = std::make_unique<coir::wait_queue>("news");
            auto waiting = coir::spawn([&] { queue->wait(); });
            coir::this_fiber::yield();
            queue.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}

TEST_CASE("coir::wait_queue: behaves like a queue, with random arrivals, timeouts and stops in one tick") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        coir::run({.clock = coir::clock_mode::virtual_time}, [seed] {
            coir::wait_queue queue{"news"};
            coir::test::waiting_fibers crowd{seed, [&queue](coir::deadline until) { queue.wait(until); }};
            for (int step = 0; step < coir::test::model_steps; ++step) {
                const std::size_t choice = crowd.below(20);
                if (choice < 10)
                    crowd.arrive(false);
                else if (choice < 13)
                    crowd.stop_anyone();
                else if (choice < 16)
                    REQUIRE(crowd.settle());
                else if (choice < 19)
                    REQUIRE(queue.wake_one() == crowd.first_is_woken());
                else {
                    queue.wake_all();
                    while (crowd.first_is_woken()) {
                    }
                }
                REQUIRE(queue.empty() == crowd.empty());
            }
            REQUIRE(crowd.end());
        });
    }
}
