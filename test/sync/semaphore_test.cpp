#include <coir/fiber.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/compute_for.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"
#include "support/waiting_fibers.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using coir::test::compute_for;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("semaphore: admits as many fibers as it has permits") {
    in_scheduler([] {
        coir::counting_semaphore<> slots{3};
        int inside = 0;
        int most = 0;
        std::vector<coir::fiber<void>> crowd;
        for (int i = 0; i < 10; ++i) {
            crowd.push_back(coir::spawn([&] {
                slots.acquire();
                most = std::max(most, ++inside);
                coir::this_fiber::yield();
                --inside;
                slots.release();
            }));
        }
        for (auto& each : crowd) each.get();
        CHECK(most == 3);
    });
}

TEST_CASE("semaphore: waiters are served in order, even if other fibers acquire in between") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        std::string order;
        const auto waiting = [&](char name) {
            return coir::spawn([&, name] {
                s.acquire();
                order += name;
            });
        };
        auto a = waiting('a');
        auto b = waiting('b');
        coir::this_fiber::yield();
        s.release();
        CHECK_FALSE(s.try_acquire());  // the permit belongs to a, although a has not run yet
        s.release();
        a.get();
        b.get();
        CHECK(order == "ab");
    });
}

TEST_CASE("semaphore: releasing several permits serves several waiters, and keeps the rest") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        int served = 0;
        const auto waiting = [&] {
            s.acquire();
            ++served;
        };
        auto a = coir::spawn(waiting);
        auto b = coir::spawn(waiting);
        coir::this_fiber::yield();
        s.release(3);
        a.get();
        b.get();
        CHECK(served == 2);
        CHECK(s.try_acquire());
        CHECK_FALSE(s.try_acquire());
    });
}

TEST_CASE("semaphore: releasing zero permits changes nothing") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        s.release(0);
        CHECK_FALSE(s.try_acquire());
    });
}

TEST_CASE("semaphore: a waiter that gave up is skipped, and the next one gets the permit") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        bool served = false;
        auto late = coir::spawn([&] { CHECK_FALSE(s.try_acquire_for(5ms)); });
        auto next = coir::spawn([&] {
            s.acquire();
            served = true;
        });
        late.join();
        s.release();
        next.join();
        CHECK(served);
    });
}

TEST_CASE(
    "semaphore: a permit handed over before a stop stays with the fiber, after a stop it goes to the next waiter") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        auto served = coir::spawn([&] { s.acquire(); });
        auto stopped = coir::spawn([&] { s.acquire(); });
        coir::this_fiber::yield();
        s.release();
        served.request_stop();
        served.get();
        stopped.request_stop();
        s.release();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(s.try_acquire());
    });
}

TEST_CASE("semaphore: a permit released between a waiter's deadline and its run is the waiter's") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        const coir::deadline at = 2ms;
        auto waiter = coir::spawn([&] { return s.try_acquire_until(at); });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        s.release();
        CHECK(waiter.get());
        CHECK_FALSE(s.try_acquire());
    });
}

TEST_CASE("semaphore: released after a waiter's deadline, but before the hub noticed it: the waiter gets the permit") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        auto waiter = coir::spawn([&] { return s.try_acquire_for(20ms); });
        coir::this_fiber::yield();
        compute_for(25ms);
        s.release();  // its deadline has passed, but the hub has not polled
        CHECK(waiter.get());
        CHECK_FALSE(s.try_acquire());
    });
}

TEST_CASE(
    "semaphore: acquire with a deadline throws timed_out, but the functions of std::counting_semaphore return false") {
    in_scheduler([] {
        coir::counting_semaphore<> s{0};
        CHECK_THROWS_AS(s.acquire(1ms), coir::timed_out);
        const auto before = std::chrono::steady_clock::now();
        CHECK_FALSE(s.try_acquire_for(2ms));
        CHECK(std::chrono::steady_clock::now() - before >= 2ms);
        CHECK_FALSE(s.try_acquire_until(std::chrono::steady_clock::now()));
        CHECK_FALSE(s.try_acquire_for(-1h));
        s.release();
        CHECK(s.try_acquire_for(0s));
    });
}

TEST_CASE("semaphore: acquiring an available permit is not a cancellation point, waiting for one is") {
    in_scheduler([] {
        coir::counting_semaphore<> s{1};
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            s.acquire();
            CHECK_THROWS_AS(s.acquire(), coir::cancelled);
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("semaphore: max is the template argument, and a binary_semaphore has one permit") {
    CHECK(coir::counting_semaphore<5>::max() == 5);
    CHECK(coir::binary_semaphore::max() == 1);
    in_scheduler([] {
        coir::binary_semaphore s{1};
        CHECK(s.try_acquire());
        CHECK_FALSE(s.try_acquire());
        s.release();
        CHECK(s.try_acquire());
    });
}

TEST_CASE("semaphore: outside a fiber acquire throws not_in_fiber, release wrong_scheduler") {
    coir::counting_semaphore<> s{1};
    CHECK_THROWS_AS(s.acquire(), coir::not_in_fiber);
    CHECK_THROWS_AS((void)s.try_acquire_for(1ms), coir::not_in_fiber);
    CHECK_THROWS_AS(s.release(), coir::wrong_scheduler);
}

TEST_CASE("semaphore: a fiber of another thread gets wrong_scheduler") {
    in_scheduler([] {
        coir::counting_semaphore<> s{1};
        s.acquire();
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(s.acquire(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)s.try_acquire(), coir::wrong_scheduler);
                CHECK_THROWS_AS(s.release(), coir::wrong_scheduler);
            });
        });
    });
}

TEST_CASE("semaphore: more permits than max abort with a message") {
    const auto released = coir::test::in_child([] {
        in_scheduler([] {
            coir::binary_semaphore s{1};
            s.release();
        });
    });
    CHECK(released.died());
    CHECK(released.says("semaphore::release: the number of permits would exceed the maximum"));

    const auto begun = coir::test::in_child([] { const coir::counting_semaphore<2> s{3}; });
    CHECK(begun.died());
    CHECK(begun.says("semaphore: the initial number of permits must be"));
}

TEST_CASE("semaphore: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto s = std::make_unique<coir::counting_semaphore<>>(0);
            auto waiting = coir::spawn([&] { s->acquire(); });
            coir::this_fiber::yield();
            s.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}

TEST_CASE("semaphore: behaves like a counter and a queue, with random arrivals, timeouts and stops in one tick") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        coir::run({.clock = coir::clock_mode::virtual_time}, [seed] {
            coir::counting_semaphore<> permits{3};
            std::ptrdiff_t left = 3;  // the model's counter
            coir::test::waiting_fibers crowd{seed, [&permits](coir::deadline until) { permits.acquire(until); }};
            for (int step = 0; step < coir::test::model_steps; ++step) {
                const std::size_t choice = crowd.below(16);
                if (choice < 8) {
                    crowd.arrive(left > 0);
                    left -= left > 0;
                } else if (choice < 10) {
                    crowd.stop_anyone();
                } else if (choice < 12) {
                    REQUIRE(crowd.settle());
                } else if (choice < 13) {
                    REQUIRE(permits.try_acquire() == (left > 0));
                    left -= left > 0;
                } else {
                    const auto count = static_cast<std::ptrdiff_t>(crowd.below(4));
                    permits.release(count);
                    for (std::ptrdiff_t i = 0; i < count; ++i) left += !crowd.first_is_woken();
                }
            }
            REQUIRE(crowd.end());
        });
    }
}
