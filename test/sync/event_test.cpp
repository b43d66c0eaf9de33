#include <coir/fiber.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("event: set wakes all waiters, in the order in which they started to wait, and later waits return at once") {
    in_scheduler([] {
        coir::event happened;
        std::string order;
        const auto waiting = [&](char name) {
            return coir::spawn([&, name] {
                happened.wait();
                order += name;
            });
        };
        auto a = waiting('a');
        auto b = waiting('b');
        coir::this_fiber::yield();
        CHECK_FALSE(happened.is_set());
        happened.set();
        CHECK(happened.is_set());
        a.get();
        b.get();
        happened.wait();
        CHECK(order == "ab");
    });
}

TEST_CASE("event: after reset fibers wait again, but those already woken continue") {
    in_scheduler([] {
        coir::event happened;
        auto before = coir::spawn([&] { happened.wait(); });
        coir::this_fiber::yield();
        happened.set();
        happened.reset();
        CHECK_FALSE(happened.is_set());
        before.get();
        auto after = coir::spawn([&] { happened.wait(); });
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        CHECK_FALSE(after.done());
        happened.set();
        after.get();
    });
}

TEST_CASE("event: setting or resetting twice has no additional effect") {
    in_scheduler([] {
        coir::event happened;
        happened.reset();
        happened.set();
        happened.set();
        happened.wait();
        happened.reset();
        happened.reset();
        CHECK_THROWS_AS(happened.wait(1ms), coir::timed_out);
    });
}

TEST_CASE("event: a wait throws timed_out at its deadline, and cancelled after a stop") {
    in_scheduler([] {
        coir::event never_set;
        CHECK_THROWS_AS(never_set.wait(1ms), coir::timed_out);
        CHECK_THROWS_AS(never_set.wait(-1s), coir::timed_out);
        auto stopped = coir::spawn([&] { never_set.wait(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("event: a wait that ended before the stop returns") {
    in_scheduler([] {
        coir::event happened;
        bool returned = false;
        auto waiting = coir::spawn([&] {
            happened.wait();
            returned = true;
        });
        coir::this_fiber::yield();
        happened.set();
        waiting.request_stop();
        waiting.get();
        CHECK(returned);
    });
}

TEST_CASE("event: outside its scheduler a call throws") {
    coir::event happened;
    CHECK_THROWS_AS(happened.wait(), coir::not_in_fiber);
    CHECK_THROWS_AS(happened.set(), coir::wrong_scheduler);
    in_scheduler([&] {
        happened.set();
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(happened.wait(), coir::wrong_scheduler);
                CHECK_THROWS_AS(happened.set(), coir::wrong_scheduler);
                CHECK_THROWS_AS(happened.reset(), coir::wrong_scheduler);
            });
        });
    });
}

TEST_CASE("event: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto happened = std::make_unique<coir::event>();
            auto waiting = coir::spawn([&] { happened->wait(); });
            coir::this_fiber::yield();
            happened.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
