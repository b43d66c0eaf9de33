#include <coir/fiber.hpp>
#include <coir/sync/shared_mutex.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>

#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

using coir::test::error_of;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

namespace {

/// Spawns a fiber that locks the mutex, records its name, and holds the lock for one round.
template <class Lock> auto visitor(coir::shared_mutex& mutex, std::string& log, char name) {
    return coir::spawn([&, name] {
        const Lock lock{mutex};
        log += name;
        coir::this_fiber::yield();
    });
}

auto reader(coir::shared_mutex& mutex, std::string& log, char name) {
    return visitor<std::shared_lock<coir::shared_mutex>>(mutex, log, name);
}

auto writer(coir::shared_mutex& mutex, std::string& log, char name) {
    return visitor<std::unique_lock<coir::shared_mutex>>(mutex, log, name);
}

bool is_free(coir::shared_mutex& mutex) { return std::unique_lock{mutex, std::try_to_lock}.owns_lock(); }

}  // namespace

TEST_CASE("shared_mutex: any number of readers hold it together, a writer alone") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        int readers = 0;
        int writers = 0;
        int most_readers = 0;
        std::vector<coir::fiber<void>> crowd;
        for (int i = 0; i < 30; ++i) {
            if (i % 5 == 4) {
                crowd.push_back(coir::spawn([&] {
                    const std::scoped_lock lock{mutex};
                    CHECK(++writers == 1);
                    coir::this_fiber::yield();
                    CHECK(readers == 0);
                    --writers;
                }));
            } else {
                crowd.push_back(coir::spawn([&] {
                    const std::shared_lock lock{mutex};
                    most_readers = std::max(most_readers, ++readers);
                    coir::this_fiber::yield();
                    CHECK(writers == 0);
                    --readers;
                }));
            }
        }
        for (auto& each : crowd) each.get();
        CHECK(most_readers == 4);
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: a reader that arrives after a waiting writer waits behind it") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        std::string log;
        mutex.lock_shared();
        auto w = writer(mutex, log, 'w');
        auto r = reader(mutex, log, 'r');
        coir::this_fiber::yield();
        CHECK_FALSE(mutex.try_lock_shared());
        CHECK(log.empty());
        mutex.unlock_shared();
        r.get();
        CHECK(log == "wr");
    });
}

TEST_CASE("shared_mutex: a writer that arrives after waiting readers waits behind them") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        std::string log;
        mutex.lock();
        auto a = reader(mutex, log, 'a');
        auto w = writer(mutex, log, 'w');
        auto b = reader(mutex, log, 'b');
        coir::this_fiber::yield();
        mutex.unlock();
        CHECK_FALSE(mutex.try_lock());  // handed over, although no other fiber has run yet
        mutex.lock();
        log += 'm';
        mutex.unlock();
        CHECK(log == "awbm");
    });
}

TEST_CASE("shared_mutex: consecutive waiting readers get it together, those behind a writer do not") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        int inside = 0;
        coir::fiber<void> first[3];
        const auto stay = [&] {
            const std::shared_lock lock{mutex};
            ++inside;
            while (inside < 3) coir::this_fiber::yield();
        };
        mutex.lock();
        for (auto& each : first) each = coir::spawn(stay);
        coir::this_fiber::yield();
        std::string log;
        auto w = writer(mutex, log, 'w');
        auto late = reader(mutex, log, 'r');
        coir::this_fiber::yield();
        mutex.unlock();
        for (auto& each : first) each.get();
        late.get();
        CHECK(log == "wr");
    });
}

TEST_CASE("shared_mutex: the try_ functions lock if possible, and otherwise fail") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        CHECK(mutex.try_lock_shared());
        CHECK(mutex.try_lock_shared_for(1ms));
        CHECK_FALSE(mutex.try_lock());
        CHECK_FALSE(mutex.try_lock_for(1ms));
        CHECK_THROWS_AS(mutex.lock(1ms), coir::timed_out);
        mutex.unlock_shared();
        mutex.unlock_shared();
        CHECK(mutex.try_lock_for(1ms));
        coir::spawn([&] {
            CHECK_FALSE(mutex.try_lock_shared());
            CHECK_FALSE(mutex.try_lock_shared_until(std::chrono::steady_clock::now() + 1ms));
            CHECK_FALSE(mutex.try_lock_shared_for(-1s));
            CHECK_THROWS_AS(mutex.lock_shared(1ms), coir::timed_out);
        }).get();
        mutex.unlock();
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: when a waiting writer gives up, the readers behind it get the lock, and earlier waiters keep "
          "their position") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        mutex.lock_shared();
        auto late = coir::spawn([&] { CHECK_FALSE(mutex.try_lock_for(1ms)); });
        auto stopped = coir::spawn([&] { mutex.lock(); });
        auto next = coir::spawn([&] {
            const std::shared_lock lock{mutex};
            return true;
        });
        late.get();
        stopped.request_stop();
        CHECK(next.get());  // while the shared lock that the writers waited for is still held
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        mutex.unlock_shared();
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: a reader that gives up is skipped, and leaves no shared lock behind") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        std::string log;
        mutex.lock();
        auto stopped = coir::spawn([&] { mutex.lock_shared(); });
        auto w = writer(mutex, log, 'w');
        coir::this_fiber::yield();
        stopped.request_stop();
        mutex.unlock();
        CHECK_FALSE(mutex.try_lock());  // the writer holds it
        w.get();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: handed over and stopped in the same round: the first of the two counts") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        const auto share = [&] {
            const std::shared_lock lock{mutex};
            return true;
        };
        mutex.lock();
        auto has_it = coir::spawn(share);
        auto has_not = coir::spawn(share);
        coir::this_fiber::yield();
        has_not.request_stop();
        mutex.unlock();
        has_it.request_stop();
        CHECK(has_it.get());
        CHECK_THROWS_AS((void)has_not.get(), coir::fiber_stopped);
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: timed out, then unlocked before the waiting fiber runs: that fiber gets it") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        mutex.lock_shared();
        const coir::deadline at = 2ms;
        auto waiting = coir::spawn([&] {
            CHECK(mutex.try_lock_until(at));
            mutex.unlock();
        });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        CHECK_FALSE(waiting.done());
        mutex.unlock_shared();
        waiting.get();
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: a waiter that gave up and was skipped no longer accesses it when it runs") {
    in_scheduler([] {
        auto mutex = std::make_unique<coir::shared_mutex>();
        mutex->lock();
        auto stopped = coir::spawn([&] { mutex->lock(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        mutex->unlock();
        mutex.reset();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("shared_mutex: locking without a wait is not a cancellation point, waiting is") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            mutex.lock();
            mutex.unlock();
            mutex.lock_shared();
            mutex.lock_shared();
            CHECK_THROWS_AS(mutex.lock(), coir::cancelled);
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("shared_mutex: locking it again while the fiber holds it exclusively throws resource_deadlock_would_occur") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        mutex.lock();
        CHECK(error_of([&] { mutex.lock(); }) == std::errc::resource_deadlock_would_occur);
        CHECK(error_of([&] { mutex.lock_shared(); }) == std::errc::resource_deadlock_would_occur);
        CHECK(error_of([&] { (void)mutex.try_lock_for(1h); }) == std::errc::resource_deadlock_would_occur);
        CHECK(error_of([&] { (void)mutex.try_lock_shared_for(1h); }) == std::errc::resource_deadlock_would_occur);
        mutex.unlock();
        CHECK(is_free(mutex));
    });
}

TEST_CASE("shared_mutex: unlocking in a mode that is not held throws operation_not_permitted") {
    in_scheduler([] {
        coir::shared_mutex mutex;
        CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted);
        CHECK(error_of([&] { mutex.unlock_shared(); }) == std::errc::operation_not_permitted);
        mutex.lock_shared();
        CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted);
        mutex.unlock_shared();
        mutex.lock();
        CHECK(error_of([&] { mutex.unlock_shared(); }) == std::errc::operation_not_permitted);
        coir::spawn([&] { CHECK(error_of([&] { mutex.unlock(); }) == std::errc::operation_not_permitted); }).get();
        mutex.unlock();
    });
}

TEST_CASE("shared_mutex: outside its scheduler a call throws") {
    coir::shared_mutex mutex;
    CHECK_THROWS_AS(mutex.lock(), coir::not_in_fiber);
    CHECK_THROWS_AS(mutex.lock_shared(), coir::not_in_fiber);
    CHECK_THROWS_AS(mutex.unlock(), coir::not_in_fiber);
    CHECK_THROWS_AS(mutex.unlock_shared(), coir::wrong_scheduler);
    in_scheduler([&] {
        const std::shared_lock lock{mutex};
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(mutex.lock(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)mutex.try_lock(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)mutex.try_lock_for(1ms), coir::wrong_scheduler);
                CHECK_THROWS_AS(mutex.unlock(), coir::wrong_scheduler);
                CHECK_THROWS_AS(mutex.lock_shared(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)mutex.try_lock_shared(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)mutex.try_lock_shared_for(1ms), coir::wrong_scheduler);
                CHECK_THROWS_AS(mutex.unlock_shared(), coir::wrong_scheduler);
            });
        });
    });
}
