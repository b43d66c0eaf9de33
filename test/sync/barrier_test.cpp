#include <coir/fiber.hpp>
#include <coir/sync/barrier.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

namespace {

/// Spawns a fiber that arrives and waits; its result is true when the wait has returned.
auto passing(coir::barrier<>& barrier) {
    return coir::spawn([&] {
        barrier.arrive_and_wait();
        return true;
    });
}

}  // namespace

TEST_CASE("barrier: no fiber continues before all have arrived, in every phase") {
    in_scheduler([] {
        constexpr int fibers = 3;
        constexpr int phases = 5;
        coir::barrier barrier{fibers};
        int arrived = 0;
        std::vector<coir::fiber<void>> crowd;
        for (int i = 0; i < fibers; ++i) {
            crowd.push_back(coir::spawn([&, i] {
                for (int phase = 0; phase < phases; ++phase) {
                    for (int pause = 0; pause < i; ++pause) coir::this_fiber::yield();
                    ++arrived;
                    barrier.arrive_and_wait();
                    CHECK(arrived >= fibers * (phase + 1));
                }
            }));
        }
        for (auto& each : crowd) each.get();
        CHECK(arrived == fibers * phases);
    });
}

TEST_CASE("barrier: waiting fibers continue in the order of arrival, after the last one to arrive") {
    in_scheduler([] {
        coir::barrier barrier{3};
        std::string order;
        const auto named = [&](char name) {
            return coir::spawn([&, name] {
                barrier.arrive_and_wait();
                order += name;
            });
        };
        auto a = named('a');
        auto b = named('b');
        coir::this_fiber::yield();
        barrier.arrive_and_wait();
        order += 'm';
        b.get();
        CHECK(order == "mab");
    });
}

TEST_CASE("barrier: the last one to arrive calls the completion function once per phase, before any fiber continues") {
    in_scheduler([] {
        std::string log;
        coir::barrier barrier{2, [&]() noexcept { log += '!'; }};
        auto other = coir::spawn([&] {
            barrier.arrive_and_wait();
            log += 'a';
            barrier.arrive_and_wait();
            log += 'b';
        });
        coir::this_fiber::yield();
        CHECK(log.empty());
        barrier.arrive_and_wait();
        barrier.arrive_and_drop();
        other.get();
        CHECK(log == "!a!b");
    });
}

TEST_CASE(
    "barrier: arrive does not wait, but wait with its token does, and returns at once after the end of the phase") {
    in_scheduler([] {
        coir::barrier barrier{3};
        auto token = barrier.arrive(2);
        auto waiting = coir::spawn([&] { barrier.wait(std::move(token)); });
        coir::this_fiber::yield();
        CHECK_FALSE(waiting.done());
        auto last = barrier.arrive();
        barrier.wait(std::move(last));
        waiting.get();
        auto of_next_phase = barrier.arrive();
        CHECK_THROWS_AS(barrier.wait(std::move(of_next_phase), 1ms), coir::timed_out);
    });
}

TEST_CASE("barrier: arrive_and_drop arrives, and reduces the expected count of the next phase") {
    in_scheduler([] {
        coir::barrier<> barrier{3};
        auto a = passing(barrier);
        auto b = passing(barrier);
        coir::this_fiber::yield();
        barrier.arrive_and_drop();
        CHECK(a.get());
        CHECK(b.get());
        auto c = passing(barrier);
        barrier.arrive_and_wait();
        CHECK(c.get());
        barrier.arrive_and_drop();
        barrier.arrive_and_drop();  // the last participant
    });
}

TEST_CASE("barrier: a wait that times out takes its arrival back, and the fiber may arrive again") {
    in_scheduler([] {
        coir::barrier<> barrier{2};
        for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(barrier.arrive_and_wait(1ms), coir::timed_out);
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { barrier.arrive_and_wait(); }), coir::timed_out);
        auto other = passing(barrier);
        coir::this_fiber::yield();
        CHECK_FALSE(other.done());
        barrier.arrive_and_wait();
        CHECK(other.get());
    });
}

TEST_CASE("barrier: a stopped fiber takes its arrival back, and the others wait for another one") {
    in_scheduler([] {
        coir::barrier<> barrier{3};
        auto stopped = passing(barrier);
        auto other = passing(barrier);
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS((void)stopped.get(), coir::fiber_stopped);
        auto instead = passing(barrier);
        coir::this_fiber::yield();
        CHECK_FALSE(other.done());
        barrier.arrive_and_wait();
        CHECK(other.get());
        CHECK(instead.get());
    });
}

TEST_CASE("barrier: a stopped fiber that drops out lets the others continue") {
    in_scheduler([] {
        coir::barrier<> barrier{2};
        auto stopped = coir::spawn([&] {
            struct leaving {
                coir::barrier<>& from;
                ~leaving() { from.arrive_and_drop(); }
            } const at_end{barrier};
            for (;;) barrier.arrive_and_wait();
        });
        barrier.arrive_and_wait();
        coir::this_fiber::yield();  // now it waits in the second phase
        stopped.request_stop();
        barrier.arrive_and_wait();
        barrier.arrive_and_wait();  // the only participant
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("barrier: an arrival with a token remains valid if its wait gives up, and the token can be used again") {
    in_scheduler([] {
        coir::barrier<> barrier{2};
        auto token = barrier.arrive();
        CHECK_THROWS_AS(barrier.wait(std::move(token), 1ms), coir::timed_out);
        auto other = passing(barrier);
        barrier.wait(std::move(token));
        CHECK(other.get());
    });
}

TEST_CASE("barrier: stopped, then the phase ends before it runs: the wait returns, and the next one throws") {
    in_scheduler([] {
        coir::barrier<> barrier{2};
        auto stopped = coir::spawn([&] {
            barrier.arrive_and_wait();
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            return true;
        });
        coir::this_fiber::yield();
        stopped.request_stop();
        barrier.arrive_and_wait();
        CHECK(stopped.get());
    });
}

TEST_CASE("barrier: the phase ends, then stopped in the same round: the wait returns") {
    in_scheduler([] {
        coir::barrier<> barrier{2};
        auto passed = passing(barrier);
        coir::this_fiber::yield();
        barrier.arrive_and_wait();
        passed.request_stop();
        CHECK(passed.get());
    });
}

TEST_CASE(
    "barrier: timed out, then the phase ends in the same round: the wait returns, and no longer accesses the barrier") {
    in_scheduler([] {
        auto barrier = std::make_unique<coir::barrier<>>(2);
        const coir::deadline at = 2ms;
        auto waiting = coir::spawn([&] {
            barrier->arrive_and_wait(at);
            return true;
        });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        CHECK_FALSE(waiting.done());
        barrier->arrive_and_wait();
        barrier.reset();
        CHECK(waiting.get());
    });
}

TEST_CASE(
    "barrier: a call that waits is a cancellation point and then has not arrived, but the last arrival is not one") {
    in_scheduler([] {
        coir::barrier<> barrier{2};
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            CHECK_THROWS_AS(barrier.arrive_and_wait(), coir::cancelled);
            auto token = barrier.arrive();
            CHECK_THROWS_AS(barrier.wait(std::move(token)), coir::cancelled);
            barrier.arrive_and_wait();
            barrier.wait(std::move(token));
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("barrier: outside its scheduler a call throws, and does not arrive") {
    coir::barrier<> barrier{2};
    CHECK_THROWS_AS(barrier.arrive_and_wait(), coir::not_in_fiber);
    CHECK_THROWS_AS((void)barrier.arrive(), coir::wrong_scheduler);
    in_scheduler([&] {
        auto other = passing(barrier);
        coir::this_fiber::yield();
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(barrier.arrive_and_wait(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)barrier.arrive(), coir::wrong_scheduler);
                CHECK_THROWS_AS(barrier.arrive_and_drop(), coir::wrong_scheduler);
            });
        });
        CHECK_FALSE(other.done());
        barrier.arrive_and_wait();
        CHECK(other.get());
    });
}

TEST_CASE("barrier: too many arrivals, or a negative expected count, abort with a message") {
    const auto crowded = coir::test::in_child([] {
        in_scheduler([] {
            coir::barrier<> barrier{1};
            (void)barrier.arrive(2);
        });
    });
    CHECK(crowded.died());
    CHECK(crowded.says("the number of arrivals must be at least 1 and at most the number still missing"));

    const auto begun = coir::test::in_child([] { const coir::barrier<> barrier{-1}; });
    CHECK(begun.died());
    CHECK(begun.says("barrier: the expected count must not be negative"));
}

TEST_CASE("barrier: a completion function that suspends while a waiter gives up aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            coir::barrier barrier{2, []() noexcept { coir::this_fiber::sleep_for(10ms); }};
            auto other = coir::spawn([&] { barrier.arrive_and_wait(1ms); });
            coir::this_fiber::yield();
            barrier.arrive_and_wait();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("barrier: the completion function suspends"));
}

TEST_CASE("barrier: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto barrier = std::make_unique<coir::barrier<>>(2);
            auto waiting = passing(*barrier);
            coir::this_fiber::yield();
            barrier.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
