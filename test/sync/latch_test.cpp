#include <coir/fiber.hpp>
#include <coir/sync/latch.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("latch: the last arrival wakes all waiters, in the order in which they started to wait, and later waits "
          "return at once") {
    in_scheduler([] {
        coir::latch latch{3};
        std::string order;
        const auto waiting = [&](char name) {
            return coir::spawn([&, name] {
                latch.wait();
                order += name;
            });
        };
        auto a = waiting('a');
        auto b = waiting('b');
        coir::this_fiber::yield();
        latch.count_down(2);
        CHECK_FALSE(latch.try_wait());
        coir::this_fiber::yield();
        CHECK(order.empty());
        latch.count_down();
        CHECK(latch.try_wait());
        a.get();
        b.get();
        latch.wait();
        CHECK(order == "ab");
    });
}

TEST_CASE("latch: one with count 0 never waits, and counting down by 0 does nothing") {
    in_scheduler([] {
        coir::latch open{0};
        CHECK(open.try_wait());
        open.wait();
        open.arrive_and_wait(0);

        coir::latch closed{1};
        closed.count_down(0);
        CHECK_FALSE(closed.try_wait());
    });
}

TEST_CASE("latch: arrive_and_wait counts, and returns when all have arrived") {
    in_scheduler([] {
        coir::latch all{3};
        int arrived = 0;
        const auto arrive = [&](std::ptrdiff_t as_many) {
            return coir::spawn([&, as_many] {
                ++arrived;
                all.arrive_and_wait(as_many);
                CHECK(arrived == 2);
            });
        };
        auto one = arrive(1);
        auto two = arrive(2);
        one.get();
        two.get();
        CHECK(all.try_wait());
    });
}

TEST_CASE("latch: a wait that times out or is stopped does not change the count") {
    in_scheduler([] {
        coir::latch latch{1};
        CHECK_THROWS_AS(latch.wait(1ms), coir::timed_out);
        CHECK_THROWS_AS(latch.wait(-1s), coir::timed_out);
        auto stopped = coir::spawn([&] { latch.wait(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK_FALSE(latch.try_wait());
        latch.count_down();
        latch.wait();
    });
}

TEST_CASE("latch: an arrival still counts if the wait after it gives up") {
    in_scheduler([] {
        coir::latch latch{3};
        CHECK_THROWS_AS(latch.arrive_and_wait(1, 1ms), coir::timed_out);
        auto stopped = coir::spawn([&] { latch.arrive_and_wait(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        latch.count_down();
        CHECK(latch.try_wait());
    });
}

TEST_CASE("latch: woken and stopped in the same round: the first of the two counts") {
    in_scheduler([] {
        coir::latch latch{1};
        const auto wait = [&] {
            latch.wait();
            return true;
        };
        auto let_go = coir::spawn(wait);
        auto stopped = coir::spawn(wait);
        coir::this_fiber::yield();
        stopped.request_stop();
        latch.count_down();
        let_go.request_stop();
        CHECK(let_go.get());
        CHECK_THROWS_AS((void)stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("latch: timed out, then counted down before the waiting fiber runs: the wait ends in time") {
    in_scheduler([] {
        coir::latch latch{1};
        const coir::deadline at = 2ms;
        auto waiting = coir::spawn([&] { latch.wait(at); });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        CHECK_FALSE(waiting.done());
        latch.count_down();
        waiting.get();
    });
}

TEST_CASE("latch: a wait that returns at once is not a cancellation point, others are") {
    in_scheduler([] {
        coir::latch latch{2};
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            CHECK_THROWS_AS(latch.arrive_and_wait(), coir::cancelled);
            latch.arrive_and_wait();
            latch.wait();
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("latch: outside its scheduler a call throws, and does not count down") {
    coir::latch latch{1};
    CHECK_THROWS_AS(latch.wait(), coir::not_in_fiber);
    CHECK_THROWS_AS(latch.arrive_and_wait(), coir::not_in_fiber);
    CHECK_THROWS_AS(latch.count_down(), coir::wrong_scheduler);
    in_scheduler([&] {
        latch.count_down(0);
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(latch.wait(), coir::wrong_scheduler);
                CHECK_THROWS_AS(latch.arrive_and_wait(), coir::wrong_scheduler);
                CHECK_THROWS_AS(latch.count_down(), coir::wrong_scheduler);
            });
        });
        CHECK_FALSE(latch.try_wait());
    });
}

TEST_CASE("latch: counting down by more than the rest, or a negative initial count, aborts with a message") {
    const auto below = coir::test::in_child([] {
        in_scheduler([] {
            coir::latch latch{1};
            latch.count_down(2);
        });
    });
    CHECK(below.died());
    CHECK(below.says("the count must be at least 0 and at most the remaining count"));

    const auto begun = coir::test::in_child([] { const coir::latch latch{-1}; });
    CHECK(begun.died());
    CHECK(begun.says("latch: the expected count must not be negative"));
}

TEST_CASE("latch: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto latch = std::make_unique<coir::latch>(1);
            auto waiting = coir::spawn([&] { latch->wait(); });
            coir::this_fiber::yield();
            latch.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
