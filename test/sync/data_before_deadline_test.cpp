#include <coir/coir.hpp>

#include "support/compute_for.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::deadline;

namespace {

/// `wait` times out at the same moment at which another fiber wakes, which runs first and calls `come`.
template <class Come, class Wait> void come_with_time_out(Come come, Wait wait) {
    in_scheduler(virtual_time, [&] {
        const deadline soon = 1ms;
        auto other = coir::spawn([&] {
            coir::this_fiber::sleep_until(soon);
            come();
        });
        coir::this_fiber::yield();
        wait(soon);
    });
}

}  // namespace

TEST_CASE("deadline: a value that was sent before the receiver ran is received") {
    coir::channel<int> buffered{1};
    come_with_time_out([&] { buffered.send(1); }, [&](deadline until) { CHECK(buffered.recv(until) == 1); });
    coir::channel<int> direct;
    come_with_time_out([&] { direct.send(2); }, [&](deadline until) { CHECK(direct.recv(until) == 2); });
    come_with_time_out([&] { direct.close(); }, [&](deadline until) { CHECK(direct.recv(until) == std::nullopt); });
}

TEST_CASE("deadline: a value is sent if there was room before the sender ran") {
    coir::channel<int> full{1};
    come_with_time_out([&] { CHECK(full.recv() == 1); },
                       [&](deadline until) {
                           full.send(1);
                           full.send(2, until);
                           CHECK(full.recv() == 2);
                       });
}

TEST_CASE("deadline: a lock that was unlocked before the waiting fiber ran is taken") {
    coir::mutex mutex;
    coir::recursive_mutex recursive;
    coir::shared_mutex shared;
    const auto take_late = [](auto& of, auto lock, auto unlock_other) {
        in_scheduler(virtual_time, [&] {
            const deadline soon = 1ms;
            auto holder = coir::spawn([&] {
                of.lock();
                coir::this_fiber::sleep_until(soon);
                of.unlock();
            });
            coir::this_fiber::yield();
            CHECK(lock(soon));
            unlock_other();
            CHECK(of.try_lock());  // nothing is left of the wait
            of.unlock();
        });
    };
    take_late(
        mutex, [&](deadline until) { return mutex.try_lock_until(until); }, [&] { mutex.unlock(); });
    take_late(
        recursive, [&](deadline until) { return recursive.try_lock_until(until); }, [&] { recursive.unlock(); });
    take_late(
        shared, [&](deadline until) { return shared.try_lock_until(until); }, [&] { shared.unlock(); });
    take_late(
        shared, [&](deadline until) { return shared.try_lock_shared_until(until); }, [&] { shared.unlock_shared(); });
}

TEST_CASE("deadline: a permit, an event and a latch that came before the waiting fiber ran count") {
    coir::counting_semaphore<> permits{0};
    come_with_time_out([&] { permits.release(); }, [&](deadline until) { CHECK(permits.try_acquire_until(until)); });
    CHECK_FALSE(in_scheduler([&] { return permits.try_acquire(); }));
    coir::event event;
    come_with_time_out([&] { event.set(); }, [&](deadline until) { event.wait(until); });
    coir::latch latch{1};
    come_with_time_out([&] { latch.count_down(); }, [&](deadline until) { latch.wait(until); });
}

TEST_CASE("deadline: a fiber that ended before the one that joins it ran has ended in time") {
    in_scheduler(virtual_time, [] {
        const deadline soon = 1ms;
        auto ending = coir::spawn([&] {
            coir::this_fiber::sleep_until(soon);
            return 42;
        });
        coir::this_fiber::yield();
        CHECK(ending.wait_until(soon) == std::future_status::ready);
        CHECK(ending.get() == 42);

        const deadline later = 1ms;
        coir::task_group group;
        group.spawn([&] { coir::this_fiber::sleep_until(later); });
        coir::this_fiber::yield();
        group.wait(later);
    });
}

TEST_CASE("deadline: select prefers a case that became ready before it ran to its timeout") {
    coir::channel<int> values{1};
    come_with_time_out([&] { values.send(1); },
                       [&](deadline until) {
                           const bool received =
                               coir::select(coir::on_recv(values, [](std::optional<int> value) { return value == 1; }),
                                            coir::on_timeout(until, [] { return false; }));
                           CHECK(received);
                       });
}

TEST_CASE("deadline: a value that another thread sent before the limit is received, though the thread was busy") {
    in_scheduler([] {
        coir::concurrent_channel<int> values{1};
        coir::promise<int> promise;
        auto future = promise.get_future();
        auto busy = coir::spawn([&] {
            std::thread{[&] {
                values.send(1);
                promise.set_value(2);
            }}.join();
            compute_for(10ms);
        });
        const deadline soon = 3ms;
        auto waits = coir::spawn([&] { return future.get(soon); });
        CHECK(values.recv(soon) == 1);
        CHECK(waits.get() == 2);
    });
}

TEST_CASE("condition_variable: notifications without end do not delay a wait's time-out") {
    in_scheduler([] {
        coir::mutex mutex;
        coir::condition_variable changed;
        bool over = false;
        auto notifier = coir::spawn([&] {
            while (!over) {
                changed.notify_one();
                coir::this_fiber::yield();
            }
        });
        std::unique_lock lock{mutex};
        CHECK_FALSE(changed.wait_for(lock, 5ms, [] { return false; }));
        over = true;
    });
}
