#include <coir/fiber.hpp>
#include <coir/sync/condition_variable.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/sync/shared_mutex.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

namespace {

/// A mutex and its condition variable, used by all tests.
struct monitor {
    coir::mutex mutex;
    coir::condition_variable changed;
};

/// Spawns a fiber that waits, records how the wait ended, and checks that the lock is held afterwards.
auto waiting(monitor& on, std::string& log, char name) {
    return coir::spawn([&, name] {
        std::unique_lock lock{on.mutex};
        on.changed.wait(lock);
        CHECK(lock.owns_lock());
        log += name;
    });
}

}  // namespace

TEST_CASE("condition_variable: notify_one wakes the fiber that has waited longest") {
    in_scheduler([] {
        monitor on;
        std::string log;
        auto a = waiting(on, log, 'a');
        auto b = waiting(on, log, 'b');
        coir::this_fiber::yield();
        on.changed.notify_one();
        a.get();
        CHECK(log == "a");
        on.changed.notify_one();
        b.get();
        CHECK(log == "ab");
    });
}

TEST_CASE("condition_variable: notify_all wakes all waiters, in the order in which they started to wait") {
    in_scheduler([] {
        monitor on;
        std::string log;
        auto a = waiting(on, log, 'a');
        auto b = waiting(on, log, 'b');
        auto c = waiting(on, log, 'c');
        coir::this_fiber::yield();
        on.changed.notify_all();
        c.get();
        CHECK(log == "abc");
    });
}

TEST_CASE("condition_variable: a notification without waiters has no effect") {
    in_scheduler([] {
        monitor on;
        on.changed.notify_one();
        on.changed.notify_all();
        std::unique_lock lock{on.mutex};
        CHECK(on.changed.wait_for(lock, 1ms) == std::cv_status::timeout);
    });
}

TEST_CASE("condition_variable: the mutex is unlocked during the wait, and locked when the wait returns") {
    in_scheduler([] {
        monitor on;
        std::string log;
        auto a = waiting(on, log, 'a');
        coir::this_fiber::yield();
        on.mutex.lock();
        on.changed.notify_one();
        coir::this_fiber::yield();
        CHECK(log.empty());  // woken, and now waits for the mutex
        on.mutex.unlock();
        a.get();
        CHECK(log == "a");
    });
}

TEST_CASE("condition_variable: with a predicate, a wait continues until it holds") {
    in_scheduler([] {
        monitor on;
        int stock = 0;
        auto buyer = coir::spawn([&] {
            std::unique_lock lock{on.mutex};
            on.changed.wait(lock, [&] { return stock >= 2; });
            return stock;
        });
        for (int i = 0; i < 3; ++i) {
            coir::this_fiber::yield();
            coir::this_fiber::yield();
            ++stock;
            on.changed.notify_one();
        }
        CHECK(buyer.get() >= 2);
    });
}

TEST_CASE("condition_variable: a predicate that already holds needs no wait, and is not a cancellation point") {
    in_scheduler([] {
        monitor on;
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            std::unique_lock lock{on.mutex};
            on.changed.wait(lock, [] { return true; });
            return on.changed.wait_for(lock, 1h, [] { return true; });
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("condition_variable: wait_for and wait_until report whether they were notified or timed out") {
    in_scheduler([] {
        monitor on;
        std::unique_lock lock{on.mutex};
        const auto before = std::chrono::steady_clock::now();
        CHECK(on.changed.wait_for(lock, 2ms) == std::cv_status::timeout);
        CHECK(std::chrono::steady_clock::now() - before >= 2ms);
        CHECK(on.changed.wait_until(lock, std::chrono::steady_clock::now() + 1ms) == std::cv_status::timeout);
        CHECK_FALSE(on.changed.wait_for(lock, 1ms, [] { return false; }));
        CHECK_FALSE(on.changed.wait_until(lock, std::chrono::steady_clock::now(), [] { return false; }));
        CHECK(lock.owns_lock());

        auto notifier = coir::spawn([&] { on.changed.notify_one(); });
        CHECK(on.changed.wait_for(lock, 1h) == std::cv_status::no_timeout);
        notifier.get();
    });
}

TEST_CASE("condition_variable: wait with a deadline throws timed_out, and holds the mutex") {
    in_scheduler([] {
        monitor on;
        std::unique_lock lock{on.mutex};
        CHECK_THROWS_AS(on.changed.wait(lock, 1ms), coir::timed_out);
        CHECK_THROWS_AS(on.changed.wait(
                            lock, [] { return false; }, 1ms),
                        coir::timed_out);
        CHECK(lock.owns_lock());
        CHECK_FALSE(on.mutex.try_lock());
    });
}

TEST_CASE("condition_variable: a stopped wait first locks the mutex, shielded, and then throws") {
    in_scheduler([] {
        monitor on;
        bool held_in_handler = false;
        auto waiter = coir::spawn([&] {
            std::unique_lock lock{on.mutex};
            try {
                on.changed.wait(lock);
            } catch (const coir::cancelled&) {
                held_in_handler = lock.owns_lock();
                throw;
            }
        });
        coir::this_fiber::yield();
        on.mutex.lock();
        waiter.request_stop();
        for (int i = 0; i < 5; ++i) coir::this_fiber::yield();
        CHECK_FALSE(waiter.done());  // waits for the mutex in spite of the stop
        on.mutex.unlock();
        CHECK_THROWS_AS(waiter.get(), coir::fiber_stopped);
        CHECK(held_in_handler);
        CHECK(on.mutex.try_lock());
        on.mutex.unlock();
    });
}

TEST_CASE("condition_variable: a scope that expires during a wait leaves the mutex locked") {
    in_scheduler([] {
        monitor on;
        std::unique_lock lock{on.mutex};
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { on.changed.wait(lock); }), coir::timed_out);
        CHECK(lock.owns_lock());
    });
}

TEST_CASE("condition_variable: a notification is not lost to a waiter that gave up") {
    in_scheduler([] {
        monitor on;
        std::string log;
        auto late = coir::spawn([&] {
            std::unique_lock lock{on.mutex};
            CHECK(on.changed.wait_for(lock, 1ms) == std::cv_status::timeout);
        });
        auto stopped = waiting(on, log, 's');
        auto next = waiting(on, log, 'n');
        late.get();
        stopped.request_stop();
        on.changed.notify_one();
        next.get();
        CHECK(log == "n");
    });
}

TEST_CASE("condition_variable: the wait of a fiber notified before it was stopped returns") {
    in_scheduler([] {
        monitor on;
        std::string log;
        auto a = waiting(on, log, 'a');
        coir::this_fiber::yield();
        on.changed.notify_one();
        a.request_stop();
        a.get();
        CHECK(log == "a");
    });
}

TEST_CASE("condition_variable: an unlocked lock throws operation_not_permitted") {
    in_scheduler([] {
        monitor on;
        std::unique_lock lock{on.mutex, std::defer_lock};
        try {
            on.changed.wait(lock);
            FAIL("waited");
        } catch (const std::system_error& thrown) {
            CHECK(thrown.code() == std::errc::operation_not_permitted);
        }
        CHECK_FALSE(lock.owns_lock());
    });
}

TEST_CASE("condition_variable: works with any lock: unlocks it during the wait, and locks it afterwards") {
    in_scheduler([] {
        coir::condition_variable changed;
        const auto waits_with = [&](auto& lock, auto take_meanwhile) {
            auto notifier = coir::spawn([&] {
                take_meanwhile();
                changed.notify_one();
            });
            changed.wait(lock, 1h);
            notifier.get();
            CHECK_FALSE(changed.wait_for(lock, 1ms, [] { return false; }));
            CHECK_THROWS_AS(coir::spawn([&] { take_meanwhile(); }).get(), coir::timed_out);
        };
        coir::mutex bare;
        bare.lock();
        waits_with(bare, [&] { bare.lock(1ms), bare.unlock(); });
        bare.unlock();

        coir::recursive_mutex recursive;
        std::unique_lock own{recursive};
        waits_with(own, [&] { recursive.lock(1ms), recursive.unlock(); });

        coir::shared_mutex shared;
        std::shared_lock share{shared};
        waits_with(share, [&] { shared.lock(1ms), shared.unlock(); });
    });
}

TEST_CASE("condition_variable: a stopped wait locks a shared lock again, shielded, after the writer that holds it") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        coir::condition_variable changed;
        auto waiter = coir::spawn([&] {
            std::shared_lock lock{mutex};
            CHECK_THROWS_AS(changed.wait(lock), coir::cancelled);
            return lock.owns_lock();
        });
        coir::this_fiber::yield();
        mutex.lock();
        waiter.request_stop();
        for (int i = 0; i < 5; ++i) coir::this_fiber::yield();
        CHECK_FALSE(waiter.done());
        mutex.unlock();
        CHECK(waiter.get());
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("condition_variable: notifying from a thread without its scheduler throws wrong_scheduler") {
    in_scheduler([] {
        monitor on;
        on.changed.notify_one();
        coir::offload([&] {
            CHECK_THROWS_AS(on.changed.notify_one(), coir::wrong_scheduler);
            CHECK_THROWS_AS(on.changed.notify_all(), coir::wrong_scheduler);
        });
    });
}

TEST_CASE("condition_variable: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            coir::mutex mutex;
            auto changed = std::make_unique<coir::condition_variable>();
            auto waiter = coir::spawn([&] {
                std::unique_lock lock{mutex};
                changed->wait(lock);
            });
            coir::this_fiber::yield();
            changed.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
