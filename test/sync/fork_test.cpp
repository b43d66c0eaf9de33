// Synchronisation objects that fibers of the parent process held or waited for, in a forked process.
#include <coir/coir.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <utility>

using coir::test::ending;
using coir::test::in_child;
using coir::test::require;

namespace {

/// No watchdog thread: with ThreadSanitizer, the child of a multi-threaded process cannot start threads.
const coir::run_options run_without_detector{.blocking = {.policy = coir::blocking_policy::off}};

/// Runs `body` in fibers of a process that is forked here.
template <class F> void check_in_fork(F body) {
    const ending child = in_child([&] { coir::run(run_without_detector, body); });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

}  // namespace

TEST_CASE("recursive_mutex: one held by a fiber of the parent is free in a forked process") {
    coir::run(run_without_detector, [] {
        coir::recursive_mutex mutex;
        const std::scoped_lock lock{mutex};
        const std::scoped_lock again{mutex};
        check_in_fork([&] {
            const std::scoped_lock own{mutex};
            require(!coir::spawn([&] { return mutex.try_lock(); }).get(), "another one has it as well");
        });
        CHECK_FALSE(coir::spawn([&] { return mutex.try_lock(); }).get());
    });
}

TEST_CASE("shared_mutex: locks and waits of fibers of the parent are gone in a forked process") {
    coir::run(run_without_detector, [] {
        coir::shared_mutex mutex;
        std::shared_lock share{mutex};
        auto applies = coir::spawn([&] { const std::scoped_lock waits{mutex}; });
        coir::this_fiber::yield();
        check_in_fork([&] {
            std::unique_lock own{mutex};
            auto next = coir::spawn([&] { const std::shared_lock waits{mutex}; });
            coir::this_fiber::yield();
            own.unlock();
            next.join();
        });
        share.unlock();
        const std::scoped_lock own{mutex};
        check_in_fork([&] { const std::shared_lock shared{mutex}; });
    });
}

TEST_CASE("call_once: a call in progress in the parent is not yet made in a forked process") {
    coir::run(run_without_detector, [] {
        coir::once_flag flag;
        int calls = 0;
        coir::call_once(flag, [&] {
            check_in_fork([&] {
                coir::call_once(flag, [&] { ++calls; });
                coir::call_once(flag, [&] { ++calls; });
                require(calls == 1, "not once");
            });
        });
        CHECK(calls == 0);
    });
}

TEST_CASE("barrier: arrivals of fibers of the parent do not count in a forked process") {
    coir::run(run_without_detector, [] {
        coir::barrier<> barrier{2};
        auto waits = coir::spawn([&] { barrier.arrive_and_wait(); });
        coir::this_fiber::yield();
        check_in_fork([&] {
            auto one = coir::spawn([&] { barrier.arrive_and_wait(); });
            coir::this_fiber::yield();
            require(!one.done(), "somebody else is here");
            barrier.arrive_and_wait();
            one.join();
        });
        barrier.arrive_and_wait();
        waits.join();
    });
}

TEST_CASE("mutex: one that a fiber still held at the end of run is free") {
    coir::mutex mutex;
    coir::run(run_without_detector, [&] { mutex.lock(); });
    coir::run(run_without_detector, [&] { CHECK(mutex.try_lock()); });
}

TEST_CASE("task_group: in a forked process it has no fibers of the parent, and all its slots") {
    coir::run(run_without_detector, [] {
        coir::event event;
        coir::task_group group{coir::limit{1}};
        group.spawn([&] { event.wait(); });
        check_in_fork([&] {
            bool done = false;
            group.spawn([&] { done = true; });
            group.wait();
            require(done, "not done");
        });
        check_in_fork([&] { group.wait(); });
        event.set();
        group.wait();
    });
}

TEST_CASE("scheduler_ref: in a forked process the parent's scheduler is gone") {
    coir::run(run_without_detector, [] {
        const coir::scheduler_ref here = coir::this_scheduler();
        const ending child = in_child([&] {
            require(!here.alive(), "it is said to be alive");
            const coir::scheduler_ref copy = here;
            try {
                copy.post([] {});
            } catch (const coir::scheduler_gone&) {
                return;
            }
            throw std::runtime_error{"it was posted to"};
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
        CHECK(here.alive());
    });
}

TEST_CASE("spawn_on: in a forked process a handle drops the fiber that runs in the parent") {
    coir::run(run_without_detector, [] {
        bool stopped = false;
        auto sleeper = coir::spawn_on(coir::this_scheduler(), [&] {
            try {
                coir::this_fiber::sleep_for(std::chrono::hours{1});
            } catch (const coir::cancelled&) {
                stopped = true;
            }
        });
        coir::this_fiber::yield();
        const ending child = in_child([&] { const auto taken = std::move(sleeper); });
        INFO(child.output);
        CHECK_FALSE(child.died());
        CHECK_FALSE(stopped);
        CHECK_FALSE(sleeper.done());
    });
}

TEST_CASE("concurrent_channel, future: a forked process destroys its copies while threads "
          "of the parent wait on them") {
    auto channel = std::make_unique<coir::concurrent_channel<int>>(1);
    coir::promise<int> made;
    auto awaited = std::make_unique<coir::future<int>>(made.get_future());
    std::jthread receiver{[&] { channel->recv(); }};
    std::jthread waiter{[&] { awaited->wait_until(coir::never); }};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    const ending child = in_child([&] {
        channel.reset();
        awaited.reset();
        const coir::promise<int> kept = std::move(made);
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
    channel->close();
    made.set_value(1);
}
