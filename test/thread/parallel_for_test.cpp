#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/thread/parallel_for.hpp>
#include <coir/timeout.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("parallel_for: calls the body once for each number, of any integer type") {
    in_scheduler([] {
        for (const std::size_t count : {0, 1, 2, 3, 100, 127, 128, 129, 10'007}) {
            std::vector<int> calls(count);
            coir::parallel_for(0, calls.size(), [&](std::size_t i) { ++calls[i]; });
            CHECK(std::ranges::count(calls, 1) == static_cast<std::ptrdiff_t>(count));
        }
        std::atomic<int> sum = 0;
        coir::parallel_for(-3, 5, [&](int i) { sum += i; });
        CHECK(sum == 4);
        coir::parallel_for(5, -3, [&](int) { sum = 0; });
        CHECK(sum == 4);

        std::atomic<int> calls = 0;
        coir::parallel_for(static_cast<signed char>(-128), static_cast<signed char>(127), [&](int) { ++calls; });
        CHECK(calls == 255);
        constexpr auto least = std::numeric_limits<std::int64_t>::min();
        coir::parallel_for(least, least + 10, [&](std::int64_t i) { calls += i < 0 ? 1 : 0; });
        CHECK(calls == 265);
    });
}

TEST_CASE("parallel_for: the body runs outside of the fiber, on several threads, while other fibers run") {
    coir::offload_pool pool{{.threads = 3}};
    in_scheduler([&] {
        std::atomic<int> inside = 0;
        bool others_ran = false;
        auto other = coir::spawn([&] { others_ran = true; });
        coir::parallel_for(pool, 0, 3, [&](int) {
            CHECK_FALSE(coir::this_fiber::in_fiber());
            ++inside;
            while (inside < 3) std::this_thread::yield();
        });
        CHECK(others_ran);
        other.join();
    });
}

TEST_CASE("parallel_for: idle threads steal parts of the others' pieces") {
    coir::offload_pool pool{{.threads = 2}};
    in_scheduler([&] {
        std::atomic<int> left = 999;
        coir::parallel_for(pool, 0, 1000, [&](int i) {
            if (i > 0)
                --left;
            else
                while (left > 7) std::this_thread::yield();  // the other numbers of its own piece come after it
        });
        CHECK(left == 0);
    });
}

TEST_CASE("parallel_for: the first failure is thrown after all bodies have ended, and no more start") {
    coir::offload_pool pool{{.threads = 2}};
    in_scheduler([&] {
        std::atomic<int> begun = 0;
        std::atomic<int> ended = 0;
        std::atomic<bool> thrown = false;
        CHECK_THROWS_WITH_AS(coir::parallel_for(pool, 0, 1'000'000,
                                                [&](int i) {
                                                    ++begun;
                                                    if (i == 0) {
                                                        while (begun < 2) std::this_thread::yield();
                                                        ++ended;
                                                        thrown = true;
                                                        throw std::domain_error{"the first number"};
                                                    }
                                                    while (!thrown) std::this_thread::yield();
                                                    ++ended;
                                                }),
                             "the first number", std::domain_error);
        CHECK(begun == ended);
        CHECK(begun < 1'000'000);
    });
}

TEST_CASE("parallel_for: a stop or an expired scope ends it early, and waits for started bodies") {
    in_scheduler([] {
        std::atomic<int> inside = 0;
        std::atomic<int> begun = 0;
        std::atomic<bool> may_go_on = false;
        const auto body = [&](int) {
            ++inside;
            ++begun;
            while (!may_go_on) std::this_thread::yield();
            --inside;
        };
        bool returned = false;
        auto computing = coir::spawn([&] {
            coir::parallel_for(0, 10'000, body);
            returned = true;
        });
        while (begun == 0) coir::this_fiber::sleep_for(100us);
        computing.request_stop();
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        may_go_on = true;
        CHECK_THROWS_AS(computing.get(), coir::fiber_stopped);
        CHECK_FALSE(returned);
        CHECK(inside == 0);

        CHECK(begun < 10'000);

        may_go_on = false;
        auto later = coir::spawn([&] {
            coir::this_fiber::sleep_for(2ms);  // its timer fires after the scope's
            may_go_on = true;
        });
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { coir::parallel_for(0, 10'000, body); }), coir::timed_out);
        CHECK(inside == 0);
        later.join();
    });
}

TEST_CASE("parallel_for: a fiber that is being stopped starts nothing") {
    in_scheduler([] {
        bool ran = false;
        auto stopped = coir::spawn([&] { coir::parallel_for(0, 1, [&](int) { ran = true; }); });
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK_FALSE(ran);
    });
    CHECK_THROWS_AS(coir::parallel_for(0, 1, [](int) {}), coir::not_in_fiber);
}

TEST_CASE("parallel_for: with a full pool it uses fewer threads, or is refused") {
    coir::offload_pool pool{{.threads = 2, .queue_limit = 0}};
    in_scheduler([&] {
        std::atomic<int> busy = 0;
        std::atomic<bool> over = false;
        const auto hold = [&] {
            pool.offload([&] {
                ++busy;
                over.wait(false);
            });
        };
        auto first = coir::spawn(hold);
        while (busy < 1) coir::this_fiber::sleep_for(100us);
        std::atomic<int> calls = 0;
        coir::parallel_for(pool, 0, 100, [&](int) { ++calls; });
        CHECK(calls == 100);

        auto second = coir::spawn(hold);
        while (busy < 2) coir::this_fiber::sleep_for(100us);
        CHECK_THROWS_AS(coir::parallel_for(pool, 0, 100, [&](int) { ++calls; }), std::system_error);
        CHECK(calls == 100);
        over = true;
        over.notify_all();
        first.join();
        second.join();
    });
}

TEST_CASE("parallel_for: completes within work of the same pool") {
    coir::offload_pool pool{{.threads = 2}};
    in_scheduler([&] {
        std::atomic<int> calls = 0;
        coir::parallel_for(pool, 0, 10,
                           [&](int) { coir::run([&] { coir::parallel_for(pool, 0, 10, [&](int) { ++calls; }); }); });
        CHECK(calls == 100);
    });
}
