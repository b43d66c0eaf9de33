#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/stats.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>

#include "support/compute_for.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;
using coir::scheduler_stats;
using coir::test::in_scheduler;

static_assert(std::is_trivially_copyable_v<scheduler_stats>);

TEST_CASE("stats: alive fibers are ready, parked, or the calling one") {
    in_scheduler([] {
        auto sleeps = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        auto ends = coir::spawn([] {});
        coir::this_fiber::yield();
        auto ready = coir::spawn([] {
            for (;;) coir::this_fiber::yield();
        });
        coir::this_fiber::yield();
        auto spawned = coir::spawn([] {});
        const scheduler_stats now = coir::stats();
        CHECK(now.fibers_alive == 4);
        CHECK(now.fibers_parked == 1);
        CHECK(now.fibers_ready == 2);
    });
}

TEST_CASE("stats: each suspension is a switch, even if a fiber is alone") {
    in_scheduler([] {
        const scheduler_stats before = coir::stats();
        for (int i = 0; i < 1000; ++i) coir::this_fiber::yield();
        CHECK(coir::stats().switches >= before.switches + 1000);
    });
}

TEST_CASE("stats: a scheduler without ready fibers polls epoll") {
    in_scheduler([] {
        const scheduler_stats before = coir::stats();
        coir::this_fiber::sleep_for(1ms);
        CHECK(coir::stats().polls > before.polls);
    });
}

TEST_CASE("stats: stacks are in use by started fibers that have not ended, and pooled afterwards") {
    in_scheduler([] {
        const scheduler_stats before = coir::stats();
        CHECK(before.stacks_in_use == 1);
        CHECK(before.stacks_pooled == 0);
        coir::event end;
        std::vector<coir::fiber<void>> fibers;
        for (int i = 0; i < 10; ++i) fibers.push_back(coir::spawn([&] { end.wait(); }));
        CHECK(coir::stats().stacks_in_use == 1);
        coir::this_fiber::yield();
        CHECK(coir::stats().stacks_in_use == 11);
        end.set();
        for (auto& each : fibers) each.join();
        CHECK(coir::stats().stacks_in_use == 1);
        CHECK(coir::stats().stacks_pooled == 10);
    });
}

TEST_CASE("stats: the longest round is that of a fiber that held the thread, during the round and later") {
    in_scheduler([] {
        coir::test::compute_for(20ms);
        CHECK(coir::stats().longest_round >= 20ms);
        coir::this_fiber::sleep_for(1ms);
        coir::this_fiber::sleep_for(1ms);
        CHECK(coir::stats().longest_round >= 20ms);
    });
}

TEST_CASE("stats: a fiber that holds its thread makes a long round, counted by its length") {
    in_scheduler([] {
        const scheduler_stats before = coir::stats();
        coir::test::compute_for(20ms);
        CHECK(coir::stats().fibers_ran >= before.fibers_ran + 20ms);
        coir::this_fiber::sleep_for(1ms);
        const scheduler_stats after = coir::stats();
        CHECK(after.fibers_ran >= before.fibers_ran + 20ms);
        std::uint64_t longer = 0;  // from 16 ms up
        for (std::size_t i = 4; i < after.long_rounds.size(); ++i)
            longer += after.long_rounds[i] - before.long_rounds[i];
        CHECK(longer >= 1);
    });
}

TEST_CASE("stats: a jump of virtual time does not count as a round") {
    in_scheduler(coir::test::virtual_time, [] {
        coir::this_fiber::sleep_for(1h);
        coir::this_fiber::yield();
        CHECK(coir::stats().longest_round == 0ns);
        CHECK(coir::stats().fibers_ran == 0ns);
    });
}

TEST_CASE("stats: several schedulers are added up, and the longest round is the maximum") {
    scheduler_stats all{1, 2, 3, 4, 5, 6, 7, 8ns};
    scheduler_stats other{10, 20, 30, 40, 50, 60, 70, 4ns};
    other.fibers_ran = 30ns;
    other.long_rounds[3] = 3;
    other.blocked_by_class[static_cast<std::size_t>(coir::blocking_class::disk)] = {.count = 4, .total = 10ns};
    all += other;
    all += scheduler_stats{100, 200, 300, 400, 500, 600, 700, 9ns};
    CHECK(all.fibers_alive == 111);
    CHECK(all.fibers_ready == 222);
    CHECK(all.fibers_parked == 333);
    CHECK(all.switches == 444);
    CHECK(all.polls == 555);
    CHECK(all.stacks_in_use == 666);
    CHECK(all.stacks_pooled == 777);
    CHECK(all.longest_round == 9ns);
    CHECK(all.fibers_ran == 30ns);
    CHECK(all.long_rounds[3] == 3);
    CHECK(all.blocked(coir::blocking_class::disk) == coir::blocked_time{.count = 4, .total = 10ns});
}

TEST_CASE("stats: outside a fiber the call throws") {
    CHECK_THROWS_AS(static_cast<void>(coir::stats()), coir::not_in_fiber);
}
