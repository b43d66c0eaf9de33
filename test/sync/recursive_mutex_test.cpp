#include <coir/fiber.hpp>
#include <coir/offload.hpp>
#include <coir/recursive_mutex.hpp>
#include <coir/this_fiber.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <mutex>
#include <string>

#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

using coir::test::error_of;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("recursive_mutex: its holder takes it again, by every call, and others do not") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        mutex.lock();
        mutex.lock();
        CHECK(mutex.try_lock());
        CHECK(mutex.try_lock_for(1ms));
        coir::spawn([&] {
            CHECK_FALSE(mutex.try_lock());
            CHECK_FALSE(mutex.try_lock_for(1ms));
            CHECK_THROWS_AS(mutex.lock(1ms), coir::timed_out);
        }).get();
        for (int i = 0; i < 4; ++i) mutex.unlock();
        CHECK(coir::spawn([&] { return mutex.try_lock_for(0s) && (mutex.unlock(), true); }).get());
    });
}

TEST_CASE("recursive_mutex: it is free when it was unlocked as often as locked, and not before") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        const auto is_free = [&] {
            return coir::spawn([&] { return std::unique_lock{mutex, std::try_to_lock}.owns_lock(); }).get();
        };
        mutex.lock();
        mutex.lock();
        mutex.unlock();
        CHECK_FALSE(is_free());
        mutex.unlock();
        CHECK(is_free());
    });
}

TEST_CASE("recursive_mutex: waiters get it in the order they came, each of them once") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        std::string order;
        const auto waiting = [&](char name) {
            return coir::spawn([&, name] {
                mutex.lock();
                order += name;
                mutex.unlock();
                CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted);
            });
        };
        mutex.lock();
        mutex.lock();
        auto a = waiting('a');
        auto b = waiting('b');
        coir::this_fiber::yield();
        mutex.unlock();
        coir::this_fiber::yield();
        CHECK(order.empty());
        mutex.unlock();
        CHECK_FALSE(mutex.try_lock());  // handed over, although nobody else has run yet
        a.get();
        b.get();
        CHECK(order == "ab");
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("recursive_mutex: who gave up, by time or by a stop, has not taken it") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        mutex.lock();
        auto late = coir::spawn([&] { CHECK_FALSE(mutex.try_lock_for(1ms)); });
        auto stopped = coir::spawn([&] { mutex.lock(); });
        auto next = coir::spawn([&] {
            const std::scoped_lock lock{mutex};
            return true;
        });
        late.get();
        stopped.request_stop();
        mutex.unlock();
        CHECK(next.get());
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("recursive_mutex: handed over and stopped in the same round, the first of the two counts") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        mutex.lock();
        auto has_it = coir::spawn([&] {
            const std::scoped_lock lock{mutex};
            return true;
        });
        coir::this_fiber::yield();
        mutex.unlock();
        has_it.request_stop();
        CHECK(has_it.get());

        mutex.lock();
        auto has_not = coir::spawn([&] { mutex.lock(); });
        coir::this_fiber::yield();
        has_not.request_stop();
        mutex.unlock();
        CHECK(mutex.try_lock());
        mutex.unlock();
        CHECK_THROWS_AS(has_not.get(), coir::fiber_stopped);
    });
}

TEST_CASE("recursive_mutex: timed out and then unlocked in the same round, it goes to nobody") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        mutex.lock();
        const coir::deadline at = 2ms;
        auto waiting = coir::spawn([&] { CHECK_FALSE(mutex.try_lock_until(at)); });
        coir::this_fiber::sleep_until(at);  // one look of the hub wakes both, this fiber first
        CHECK_FALSE(waiting.done());
        mutex.unlock();
        CHECK(mutex.try_lock());
        mutex.unlock();
        waiting.get();
    });
}

TEST_CASE("recursive_mutex: taking a free one, or one's own, is no cancellation point") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            const std::scoped_lock lock{mutex};
            const std::scoped_lock again{mutex};
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("recursive_mutex: unlocking what another fiber holds, or nobody, throws operation_not_permitted") {
    in_scheduler([] {
        coir::recursive_mutex mutex;
        CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted);
        mutex.lock();
        coir::spawn([&] { CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted); }).get();
        mutex.unlock();
    });
}

TEST_CASE("recursive_mutex: outside its scheduler it throws") {
    coir::recursive_mutex mutex;
    CHECK_THROWS_AS(mutex.lock(), coir::not_in_fiber);
    CHECK_THROWS_AS(mutex.unlock(), coir::not_in_fiber);
    in_scheduler([&] {
        const std::scoped_lock lock{mutex};
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(mutex.lock(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)mutex.try_lock(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)mutex.try_lock_for(1ms), coir::wrong_scheduler);
                CHECK_THROWS_AS(mutex.unlock(), coir::wrong_scheduler);
            });
        });
    });
}

TEST_CASE("recursive_mutex: destroyed with a fiber waiting for it, it says so and aborts") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto mutex = std::make_unique<coir::recursive_mutex>();
            mutex->lock();
            auto waiting = coir::spawn([&] { mutex->lock(); });
            coir::this_fiber::yield();
            mutex.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
