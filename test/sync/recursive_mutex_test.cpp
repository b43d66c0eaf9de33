#include <coir/fiber.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/this_fiber.hpp>

#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <string>

using coir::test::error_of;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("recursive_mutex: its holder may lock it again with every call, others may not") {
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

TEST_CASE("recursive_mutex: it is free after as many unlocks as locks") {
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

TEST_CASE("recursive_mutex: waiters get it in the order in which they started to wait, once each") {
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
        CHECK_FALSE(mutex.try_lock());  // handed over, although no other fiber has run yet
        a.get();
        b.get();
        CHECK(order == "ab");
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("recursive_mutex: a waiter that timed out or was stopped has not locked it") {
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

TEST_CASE("recursive_mutex: locking it while it is free or already held is not a cancellation point") {
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
