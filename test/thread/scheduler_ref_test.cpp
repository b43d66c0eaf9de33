#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/scheduler_ref.hpp>
#include <coir/timeout.hpp>

#include "support/captured_log.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using coir::test::captured_log;
using coir::test::in_scheduler;
using coir::test::other_scheduler;
using coir::test::other_thread;
using namespace std::chrono_literals;

TEST_CASE("scheduler_ref: a posted function runs in a fiber of that scheduler, in its thread") {
    other_scheduler there;
    std::thread::id ran_in;
    std::promise<void> ran;
    there.ref.post([&] {
        coir::this_fiber::yield();
        ran_in = std::this_thread::get_id();
        ran.set_value();
    });
    ran.get_future().get();
    CHECK(ran_in == there.thread());
}

TEST_CASE("scheduler_ref: functions posted by one thread start in the order of posting") {
    std::vector<int> order;
    {
        other_scheduler there;
        for (int i = 0; i < 100; ++i) there.ref.post([&order, i] { order.push_back(i); });
    }
    REQUIRE(order.size() == 100);
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("scheduler_ref: a post wakes a sleeping scheduler") {
    in_scheduler([] {
        const coir::scheduler_ref here = coir::this_scheduler();
        for (int i = 0; i < 100; ++i) {
            coir::event came;
            const other_thread other{[&] { here.post([&] { came.set(); }); }};
            came.wait();
        }
    });
}

TEST_CASE("scheduler_ref: a fiber may post to its own scheduler, and continues first") {
    in_scheduler([] {
        coir::event came;
        bool later = false;
        coir::this_scheduler().post([&] {
            CHECK(later);
            came.set();
        });
        later = true;
        came.wait();
    });
}

TEST_CASE("scheduler_ref: the fiber of a post has the given name") {
    in_scheduler([] {
        std::string name;
        coir::event came;
        coir::this_scheduler().post({.name = "visitor"}, [&] {
            name = coir::this_fiber::name();
            came.set();
        });
        came.wait();
        CHECK(name == "visitor");
    });
}

TEST_CASE("scheduler_ref: an exception of a posted function goes to that scheduler's on_unhandled_exception") {
    std::string what;
    {
        other_scheduler there{{.on_unhandled_exception = [&what](std::exception_ptr failure, std::string_view) {
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                what = thrown.what();
            }
        }}};
        there.ref.post([] { throw std::runtime_error{"out of the post"}; });
    }
    CHECK(what == "out of the post");
}

TEST_CASE("scheduler_ref: posting to an ended scheduler throws scheduler_gone, and destroys the function") {
    other_scheduler there;
    CHECK(there.ref.alive());
    there.end();
    CHECK_FALSE(there.ref.alive());
    const auto held = std::make_shared<int>(1);
    CHECK_THROWS_AS(there.ref.post([held] {}), coir::scheduler_gone);
    CHECK(held.use_count() == 1);
    CHECK_THROWS_AS(coir::scheduler_ref{}.post([] {}), coir::scheduler_gone);
}

TEST_CASE("scheduler_ref: after the first fiber has ended no post is accepted, even if other fibers are alive") {
    bool refused = false;
    in_scheduler([&] {
        const coir::scheduler_ref here = coir::this_scheduler();
        coir::spawn([&refused, here] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
                try {
                    here.post([] {});
                } catch (const coir::scheduler_gone&) {
                    refused = true;
                }
                throw;
            }
        }).detach();
        coir::this_fiber::yield();
    });
    CHECK(refused);
}

TEST_CASE("scheduler_ref: a function posted just before the end still runs, in a fiber that starts stopped") {
    bool ran = false;
    bool stopped = false;
    in_scheduler([&] {
        coir::this_scheduler().post([&] {
            ran = true;
            try {
                coir::this_fiber::yield();
            } catch (const coir::cancelled&) {
                stopped = true;
            }
        });
    });
    CHECK(ran);
    CHECK(stopped);
}

TEST_CASE("scheduler_ref: every function posted while the scheduler ends is either run or refused") {
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> ran{0};
        std::atomic<int> taken{0};
        std::vector<std::jthread> others;
        in_scheduler([&] {
            for (int i = 0; i < 3; ++i) {
                others.emplace_back([&, here = coir::this_scheduler()] {
                    try {
                        for (;;) {
                            here.post([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
                            taken.fetch_add(1, std::memory_order_relaxed);
                            // Posts no faster than the functions run: only memory limits the number of posts.
                            while (taken.load(std::memory_order_relaxed) > ran.load(std::memory_order_relaxed) + 1000) {
                                std::this_thread::yield();
                            }
                        }
                    } catch (const coir::scheduler_gone&) {
                    }
                });
            }
            while (ran.load(std::memory_order_relaxed) < 20) coir::this_fiber::yield();
        });
        others.clear();
        CHECK(ran == taken);
    }
}

TEST_CASE(
    "scheduler_ref: while a reference exists its fibers may still be woken, when the last one is gone they may not") {
    std::optional<coir::scheduler_ref> known;
    std::promise<void> waits;
    std::jthread other{[&] {
        waits.get_future().get();
        known->post([] {});
        known.reset();  // now no thread can post
    }};
    CHECK_THROWS_AS(in_scheduler([&] {
                        known = coir::this_scheduler();
                        coir::event never_set;
                        coir::this_scheduler().post([&] { waits.set_value(); });
                        never_set.wait();
                    }),
                    coir::deadlock);
}

TEST_CASE("scheduler_ref: references to the same scheduler are equal") {
    in_scheduler([] {
        const coir::scheduler_ref here = coir::this_scheduler();
        const coir::scheduler_ref copy = here;
        CHECK(copy == coir::this_scheduler());
        CHECK(here != coir::scheduler_ref{});
    });
    other_scheduler one;
    other_scheduler another;
    CHECK(one.ref != another.ref);
}

TEST_CASE("scheduler_ref: outside a fiber there is no current scheduler") {
    CHECK_THROWS_AS(static_cast<void>(coir::this_scheduler()), coir::not_in_fiber);
}
