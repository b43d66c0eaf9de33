#include <coir/fiber.hpp>
#include <coir/sync/event.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/sync/shared_mutex.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/compute_for.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using coir::test::compute_for;
using coir::test::error_of;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

TEST_CASE("mutex: only one fiber at a time holds the lock, also across suspensions") {
    in_scheduler([] {
        coir::mutex mutex;
        int inside = 0;
        int most = 0;
        std::vector<coir::fiber<void>> crowd;
        for (int i = 0; i < 10; ++i) {
            crowd.push_back(coir::spawn([&] {
                const std::scoped_lock lock{mutex};
                most = std::max(most, ++inside);
                coir::this_fiber::yield();
                --inside;
            }));
        }
        for (auto& each : crowd) each.get();
        CHECK(most == 1);
    });
}

TEST_CASE("mutex: waiters get the lock in order, even if the last holder locks again at once") {
    in_scheduler([] {
        coir::mutex mutex;
        std::string order;
        mutex.lock();
        auto first = coir::spawn([&] {
            const std::scoped_lock lock{mutex};
            order += '1';
        });
        auto second = coir::spawn([&] {
            const std::scoped_lock lock{mutex};
            order += '2';
        });
        coir::this_fiber::yield();
        mutex.unlock();
        CHECK_FALSE(mutex.try_lock());  // handed over, although no other fiber has run yet
        mutex.lock();
        order += '3';
        mutex.unlock();
        first.get();
        second.get();
        CHECK(order == "123");
    });
}

TEST_CASE("mutex: try_lock locks a free mutex, and fails on a locked one") {
    in_scheduler([] {
        coir::mutex mutex;
        CHECK(mutex.try_lock());
        CHECK_FALSE(mutex.try_lock());
        coir::spawn([&] { CHECK_FALSE(mutex.try_lock()); }).get();
        mutex.unlock();
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("mutex: works with std::unique_lock, std::scoped_lock of several, and std::lock") {
    in_scheduler([] {
        coir::mutex one;
        coir::mutex other;
        int turns = 0;
        auto forth = coir::spawn([&] {
            for (int i = 0; i < 10; ++i) {
                const std::scoped_lock both{one, other};
                coir::this_fiber::yield();
                ++turns;
            }
        });
        auto back = coir::spawn([&] {
            for (int i = 0; i < 10; ++i) {
                std::unique_lock first{other, std::defer_lock};
                std::unique_lock second{one, std::defer_lock};
                std::lock(first, second);
                coir::this_fiber::yield();
                ++turns;
            }
        });
        forth.get();
        back.get();
        CHECK(turns == 20);
    });
}

TEST_CASE("mutex: a lock call whose deadline passes throws timed_out, and does not lock") {
    in_scheduler([] {
        coir::mutex mutex;
        mutex.lock();
        auto late = coir::spawn([&] { CHECK_THROWS_AS(mutex.lock(1ms), coir::timed_out); });
        late.get();
        mutex.unlock();
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("mutex: try_lock_for and try_lock_until return whether they locked, after a timeout or a hand-over") {
    in_scheduler([] {
        coir::timed_mutex mutex;
        CHECK(mutex.try_lock_for(1h));
        coir::spawn([&] {
            CHECK_FALSE(mutex.try_lock_for(1ms));
            CHECK_FALSE(mutex.try_lock_for(-1s));
            CHECK_FALSE(mutex.try_lock_until(std::chrono::steady_clock::now() + 1ms));
            const std::unique_lock refused{mutex, 1ms};
            CHECK_FALSE(refused.owns_lock());
        }).get();
        auto patient = coir::spawn([&] {
            const std::unique_lock lock{mutex, std::chrono::steady_clock::now() + 1h};
            return lock.owns_lock();
        });
        coir::this_fiber::yield();
        mutex.unlock();
        CHECK(patient.get());
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("mutex: a waiter that gave up is skipped, and the next one gets the mutex") {
    in_scheduler([] {
        coir::mutex mutex;
        bool served = false;
        mutex.lock();
        auto late = coir::spawn([&] { CHECK_THROWS_AS(mutex.lock(1ms), coir::timed_out); });
        auto stopped = coir::spawn([&] { mutex.lock(); });
        auto next = coir::spawn([&] {
            mutex.lock();
            served = true;
            mutex.unlock();
        });
        late.get();
        stopped.request_stop();
        mutex.unlock();
        next.get();
        CHECK(served);
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("mutex: unlocked after a waiter's deadline, but before the hub noticed it: the waiter gets the mutex") {
    in_scheduler([] {
        coir::mutex mutex;
        mutex.lock();
        bool got = false;
        bool gave_up = false;
        auto waiting = coir::spawn([&] {
            try {
                mutex.lock(20ms);
                got = true;
                mutex.unlock();
            } catch (const coir::timed_out&) {
                gave_up = true;
            }
        });
        coir::this_fiber::yield();
        compute_for(25ms);
        mutex.unlock();  // its deadline has passed, but the hub has not polled
        waiting.get();
        CHECK(got);
        CHECK_FALSE(gave_up);
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE("mutex: locking a free mutex is not a cancellation point, waiting for one is") {
    in_scheduler([] {
        coir::mutex mutex;
        coir::mutex held;
        held.lock();
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            mutex.lock();
            mutex.unlock();
            CHECK_THROWS_AS(held.lock(), coir::cancelled);
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
        held.unlock();
    });
}

TEST_CASE("mutex: locking a mutex that the fiber already holds throws resource_deadlock_would_occur") {
    in_scheduler([] {
        coir::mutex mutex;
        mutex.lock();
        CHECK(error_of([&] { mutex.lock(); }) == std::errc::resource_deadlock_would_occur);
        CHECK(error_of([&] { (void)mutex.try_lock_for(1h); }) == std::errc::resource_deadlock_would_occur);
        mutex.unlock();
    });
}

TEST_CASE("mutex: an unlocked mutex is adopted by a later run, also on another thread") {
    coir::mutex mutex;
    const auto use = [&] {
        in_scheduler([&] {
            const std::scoped_lock lock{mutex};
            coir::this_fiber::yield();
        });
    };
    use();
    use();
    std::thread{use}.join();
}

// ---- tests for all kinds of mutexes --------------------------------------------------------------------------------

TEST_CASE_TEMPLATE("every mutex: a mutex handed over before the fiber was stopped belongs to the fiber", Mutex,
                   coir::mutex, coir::recursive_mutex, coir::shared_mutex) {
    in_scheduler([] {
        Mutex mutex;
        mutex.lock();
        auto waiting = coir::spawn([&] {
            const std::scoped_lock lock{mutex};
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
        });
        coir::this_fiber::yield();
        mutex.unlock();
        waiting.request_stop();
        waiting.get();
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE_TEMPLATE("every mutex: a fiber stopped before the hand-over does not get the mutex", Mutex, coir::mutex,
                   coir::recursive_mutex, coir::shared_mutex) {
    in_scheduler([] {
        Mutex mutex;
        mutex.lock();
        auto waiting = coir::spawn([&] { mutex.lock(); });
        coir::this_fiber::yield();
        waiting.request_stop();
        mutex.unlock();
        CHECK(mutex.try_lock());
        mutex.unlock();
        CHECK_THROWS_AS(waiting.get(), coir::fiber_stopped);
    });
}

TEST_CASE_TEMPLATE("every mutex: timed out, then unlocked before the waiting fiber runs: that fiber gets it", Mutex,
                   coir::mutex, coir::recursive_mutex, coir::shared_mutex) {
    in_scheduler([] {
        Mutex mutex;
        mutex.lock();
        const coir::deadline at = 2ms;
        auto waiting = coir::spawn([&] {
            mutex.lock(at);
            mutex.unlock();
        });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        CHECK_FALSE(waiting.done());
        mutex.unlock();
        waiting.get();
        CHECK(mutex.try_lock());
        mutex.unlock();
    });
}

TEST_CASE_TEMPLATE("every mutex: unlocking a free mutex, or one held by another fiber, throws operation_not_permitted",
                   Mutex, coir::mutex, coir::recursive_mutex, coir::shared_mutex) {
    in_scheduler([] {
        Mutex mutex;
        CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted);
        mutex.lock();
        coir::spawn([&] { CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted); }).get();
        mutex.unlock();
    });
}

TEST_CASE_TEMPLATE("every mutex: outside a fiber a call throws not_in_fiber", Mutex, coir::mutex, coir::recursive_mutex,
                   coir::shared_mutex) {
    Mutex mutex;
    CHECK_THROWS_AS(mutex.lock(), coir::not_in_fiber);
    CHECK_THROWS_AS((void)mutex.try_lock(), coir::not_in_fiber);
    CHECK_THROWS_AS((void)mutex.try_lock_for(1ms), coir::not_in_fiber);
    CHECK_THROWS_AS(mutex.unlock(), coir::not_in_fiber);
}

TEST_CASE_TEMPLATE("every mutex: a fiber of another thread gets wrong_scheduler, whether the mutex is free or held",
                   Mutex, coir::mutex, coir::recursive_mutex, coir::shared_mutex) {
    in_scheduler([] {
        Mutex mutex;
        mutex.lock();
        const auto elsewhere = [&] {
            coir::offload([&] {
                in_scheduler([&] {
                    CHECK_THROWS_AS(mutex.lock(), coir::wrong_scheduler);
                    CHECK_THROWS_AS((void)mutex.try_lock(), coir::wrong_scheduler);
                    CHECK_THROWS_AS((void)mutex.try_lock_for(1ms), coir::wrong_scheduler);
                    CHECK_THROWS_AS(mutex.unlock(), coir::wrong_scheduler);
                });
            });
        };
        elsewhere();
        mutex.unlock();
        elsewhere();
    });
}

TEST_CASE_TEMPLATE("every mutex: destroying it while a fiber waits aborts with a message", Mutex, coir::mutex,
                   coir::recursive_mutex, coir::shared_mutex) {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto mutex = std::make_unique<Mutex>();
            mutex->lock();
            auto waiting = coir::spawn([&] { mutex->lock(); });
            coir::this_fiber::yield();
            mutex.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
