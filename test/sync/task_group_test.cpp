#include <coir/fiber.hpp>
#include <coir/shield.hpp>
#include <coir/sync/event.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

using coir::test::in_scheduler;
using coir::this_fiber::sleep_for;
using namespace std::chrono_literals;

namespace {

/// The exceptions that a run reports as unhandled.
std::vector<std::string> reported_by(auto&& body) {
    std::vector<std::string> messages;
    coir::run_options options;
    options.on_unhandled_exception = [&](std::exception_ptr failure, std::string_view) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& thrown) {
            messages.push_back(thrown.what());
        }
    };
    in_scheduler(options, body);
    return messages;
}

}  // namespace

TEST_CASE("task_group: wait returns when all its fibers have ended") {
    in_scheduler([] {
        int ended = 0;
        coir::task_group group;
        for (int i = 0; i < 10; ++i) {
            group.spawn([&ended, i] {
                for (int turn = 0; turn < i; ++turn) coir::this_fiber::yield();
                ++ended;
            });
        }
        CHECK(ended == 0);  // they start at the next suspension
        group.wait();
        CHECK(ended == 10);
    });
}

TEST_CASE("task_group: wait on an empty group returns at once") {
    in_scheduler([] {
        coir::task_group group;
        group.wait();
        group.wait(-1h);
    });
}

TEST_CASE("task_group: arguments are moved into the fiber, and its result is discarded") {
    in_scheduler([] {
        int seen = 0;
        coir::task_group group;
        group.spawn(
            [&seen](std::unique_ptr<int> number) {
                seen = *number;
                return number;
            },
            std::make_unique<int>(42));
        group.wait();
        CHECK(seen == 42);
    });
}

TEST_CASE("task_group: fiber_options set a fiber's name and stack size") {
    in_scheduler([] {
        std::string name;
        coir::task_group group;
        group.spawn({.name = "member", .stack_size = 1 << 20}, [&] {
            name = coir::this_fiber::name();
            CHECK(coir::this_fiber::stack_remaining() > 512 << 10);
        });
        group.wait();
        CHECK(name == "member");
    });
}

TEST_CASE("task_group: the first failure stops the others, and wait throws it after all have ended") {
    in_scheduler([] {
        std::string log;
        coir::task_group group;
        group.spawn([&] {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                const coir::shield_scope shield;
                coir::this_fiber::yield();
                log += "stopped ";
                throw;
            }
        });
        group.spawn([] { throw std::domain_error{"first"}; });
        try {
            group.wait();
            FAIL("no failure");
        } catch (const std::domain_error& thrown) {
            log += thrown.what();
        }
        CHECK(log == "stopped first");
    });
}

TEST_CASE("task_group: a fiber that ends with a stop of its own is not a failure") {
    in_scheduler([] {
        bool ended = false;
        coir::task_group group;
        group.spawn([] { throw coir::cancelled{}; });
        group.spawn([&] {
            sleep_for(1ms);
            ended = true;
        });
        group.wait();
        CHECK(ended);
    });
}

TEST_CASE("task_group: request_stop stops existing and later fibers") {
    in_scheduler([] {
        int stopped = 0;
        coir::task_group group;
        const auto member = [&] {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                ++stopped;
                throw;
            }
        };
        group.spawn(member);
        coir::this_fiber::yield();
        group.request_stop();
        group.request_stop();
        group.spawn(member);
        group.wait();
        CHECK(stopped == 2);

        bool ran = false;
        group.spawn([&] {
            coir::this_fiber::yield();
            ran = true;
        });
        group.wait();
        CHECK(ran);  // usable again after wait has returned
    });
}

TEST_CASE("task_group: the destructor stops its fibers and waits for them, shielded") {
    in_scheduler([] {
        std::string log;
        auto owner = coir::spawn([&] {
            coir::task_group group;
            group.spawn([&] {
                try {
                    sleep_for(1h);
                } catch (const coir::cancelled&) {
                    const coir::shield_scope shield;
                    sleep_for(1ms);
                    log += "child ";
                    throw;
                }
            });
            coir::this_fiber::yield();
        });
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        owner.request_stop();
        owner.join();
        log += "owner";
        CHECK(log == "child owner");
    });
}

TEST_CASE("task_group: a stopped or expired wait throws, and the fibers end before the group is destroyed") {
    in_scheduler([] {
        int ended = 0;
        const auto member = [&] {
            struct counts {
                int& ended;
                ~counts() { ++ended; }
            } const at_end{ended};
            sleep_for(1h);
        };
        CHECK_THROWS_AS(coir::with_timeout(1ms,
                                           [&] {
                                               coir::task_group group;
                                               group.spawn(member);
                                               group.spawn(member);
                                               group.wait();
                                           }),
                        coir::timed_out);
        CHECK(ended == 2);
        auto stopped = coir::spawn([&] {
            coir::task_group group;
            group.spawn(member);
            group.wait();
        });
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(ended == 3);
    });
}

TEST_CASE("task_group: wait with a deadline throws timed_out, and its fibers continue") {
    in_scheduler([] {
        coir::event go;
        bool ended = false;
        coir::task_group group;
        group.spawn([&] {
            go.wait();
            ended = true;
        });
        CHECK_THROWS_AS(group.wait(1ms), coir::timed_out);
        go.set();
        group.wait();
        CHECK(ended);
    });
}

TEST_CASE("task_group: its fibers may spawn into it") {
    in_scheduler([] {
        int ran = 0;
        coir::task_group group;
        group.spawn([&] {
            ++ran;
            group.spawn([&] {
                ++ran;
                group.spawn([&] { ++ran; });
            });
        });
        group.wait();
        CHECK(ran == 3);
    });
}

TEST_CASE("task_group: several fibers may wait for it") {
    in_scheduler([] {
        coir::event go;
        coir::task_group group;
        group.spawn([&] { go.wait(); });
        int returned = 0;
        const auto waiting = [&] {
            group.wait();
            ++returned;
        };
        auto a = coir::spawn(waiting);
        auto b = coir::spawn(waiting);
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        go.set();
        a.get();
        b.get();
        CHECK(returned == 2);
    });
}

TEST_CASE(
    "task_group: wait throws several failures together, in the order of failing, and none is reported as unhandled") {
    const auto messages = reported_by([] {
        const auto fails_when_stopped = [](const char* what) {
            return [what] {
                try {
                    sleep_for(1h);
                } catch (const coir::cancelled&) {
                    throw std::runtime_error{what};
                }
            };
        };
        coir::task_group group;
        group.spawn(fails_when_stopped("second"));
        group.spawn(fails_when_stopped("third"));
        group.spawn([] { sleep_for(1h); });
        group.spawn([] { throw std::domain_error{"first"}; });
        try {
            group.wait();
            FAIL("no failure");
        } catch (const coir::exception_group& thrown) {
            CHECK(thrown.what() == std::string{"3 fibers failed: first; second; third"});
            REQUIRE(thrown.failures().size() == 3);
            CHECK_THROWS_AS(std::rethrow_exception(thrown.failures()[0]), std::domain_error);
        }
        group.wait();  // usable again
    });
    CHECK(messages.empty());
}

TEST_CASE("task_group: failures that no wait has thrown are reported as unhandled") {
    const auto messages = reported_by([] {
        coir::task_group group;
        group.spawn([] { throw std::runtime_error{"seen"}; });
        CHECK_THROWS_WITH(group.wait(), "seen");
        group.spawn([] { throw std::runtime_error{"unseen"}; });
        coir::this_fiber::yield();
    });
    CHECK(messages == std::vector<std::string>{"unseen"});
}

TEST_CASE("task_group: a nested group ends with its fiber, and its failures are thrown by both waits") {
    in_scheduler([] {
        std::string log;
        coir::task_group outer;
        outer.spawn([&] {
            coir::task_group inner;
            inner.spawn([&] {
                try {
                    sleep_for(1h);
                } catch (const coir::cancelled&) {
                    throw std::runtime_error{"inner"};
                }
            });
            try {
                inner.wait();
            } catch (const coir::cancelled&) {
                log += "stopped";
                inner.request_stop();
                const coir::shield_scope shield;
                inner.wait();
            }
        });
        outer.spawn([] {
            coir::this_fiber::yield();
            throw std::runtime_error{"outer"};
        });
        CHECK_THROWS_WITH(outer.wait(), "2 fibers failed: outer; inner");
        CHECK(log == "stopped");
    });
}

TEST_CASE("task_group: a fiber without memory for a stack counts as a failure") {
    struct no_stacks {
        boost::context::stack_context allocate() { throw std::bad_alloc{}; }
        void deallocate(boost::context::stack_context&) noexcept {}
    };
    coir::run_options options;
    options.stack_allocator = no_stacks{};
    in_scheduler(options, [] {
        coir::task_group group;
        group.spawn([] {});
        CHECK_THROWS_AS(group.wait(), std::bad_alloc);
    });
}

TEST_CASE("task_group: thousands of ended fibers use only the memory of their records") {
    in_scheduler([] {
        coir::task_group group;
        int ran = 0;
        for (int i = 0; i < 10'000; ++i) group.spawn([&ran] { ++ran; });
        group.wait();
        CHECK(ran == 10'000);
    });
}

TEST_CASE("task_group: outside its scheduler a call throws") {
    coir::task_group group;
    CHECK_THROWS_AS(group.spawn([] {}), coir::not_in_fiber);
    in_scheduler([&] {
        group.spawn([] {});
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(group.spawn([] {}), coir::wrong_scheduler);
                CHECK_THROWS_AS(group.request_stop(), coir::wrong_scheduler);
            });
        });
        group.wait();
    });
}

TEST_CASE("task_group: with a limit, spawn waits until fewer fibers run") {
    in_scheduler([] {
        int running = 0;
        int most = 0;
        int ran = 0;
        coir::task_group group{coir::limit{3}};
        for (int i = 0; i < 20; ++i) {
            group.spawn([&, i] {
                most = std::max(most, ++running);
                for (int turn = 0; turn < i % 4; ++turn) coir::this_fiber::yield();
                --running;
                ++ran;
            });
        }
        CHECK(ran >= 17);
        group.wait();
        CHECK(ran == 20);
        CHECK(most == 3);
    });
}

TEST_CASE("task_group: a free slot is taken without waiting, also by a fiber that is being stopped") {
    in_scheduler([] {
        bool ran = false;
        coir::task_group group{coir::limit{1}};
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            group.spawn([&] { ran = true; });
            CHECK_FALSE(ran);
        });
        stopped.request_stop();
        stopped.get();
        group.wait();
        CHECK(ran);
    });
}

TEST_CASE("task_group: waiting spawns get slots in order, even if other fibers spawn in between") {
    in_scheduler([] {
        std::string order;
        coir::task_group group{coir::limit{1}};
        coir::event go;
        group.spawn([&] { go.wait(); });
        const auto spawner = [&](char name) {
            return coir::spawn([&, name] {
                group.spawn([&, name] {
                    order += name;
                    coir::this_fiber::yield();
                });
            });
        };
        auto a = spawner('a');
        auto b = spawner('b');
        coir::this_fiber::yield();
        go.set();
        coir::this_fiber::yield();
        group.spawn([&] { order += 'c'; });
        a.get();
        b.get();
        group.wait();
        CHECK(order == "abc");
    });
}

TEST_CASE("task_group: a spawn whose wait for a slot is stopped or expires has spawned nothing, and no slot is lost") {
    in_scheduler([] {
        int ran = 0;
        coir::event go;
        coir::task_group group{coir::limit{1}};
        const auto member = [&] {
            go.wait();
            ++ran;
        };
        group.spawn(member);
        auto stopped = coir::spawn([&] { group.spawn(member); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { group.spawn(member); }), coir::timed_out);
        go.set();
        group.wait();
        CHECK(ran == 1);
        group.spawn(member);
        group.wait();
        CHECK(ran == 2);
    });
}

TEST_CASE("task_group: if a fiber cannot be created, its slot goes to the next waiting spawn") {
    struct thrower {
        thrower() = default;
        thrower(const thrower&) { throw std::bad_alloc{}; }
        void operator()() const {}
    };
    in_scheduler([] {
        coir::task_group group{coir::limit{1}};
        const thrower cannot_be_copied;
        CHECK_THROWS_AS(group.spawn(cannot_be_copied), std::bad_alloc);
        bool ran = false;
        coir::event go;
        group.spawn([&] { go.wait(); });
        auto fails = coir::spawn([&] { CHECK_THROWS_AS(group.spawn(cannot_be_copied), std::bad_alloc); });
        auto next = coir::spawn([&] { group.spawn([&] { ran = true; }); });
        coir::this_fiber::yield();
        go.set();
        fails.get();
        next.get();
        group.wait();
        CHECK(ran);
    });
}

TEST_CASE("task_group: the first failure also ends waits for a slot, and later fibers start stopped") {
    in_scheduler([] {
        bool was_stopped = false;
        coir::task_group group{coir::limit{2}};
        group.spawn([] { sleep_for(1h); });
        group.spawn([] { throw std::domain_error{"first"}; });
        group.spawn([&] {
            try {
                coir::this_fiber::yield();
            } catch (const coir::cancelled&) {
                was_stopped = true;
            }
        });
        CHECK_THROWS_AS(group.wait(), std::domain_error);
        CHECK(was_stopped);
    });
}

TEST_CASE("task_group: wait also waits for a fiber that was spawned into the last free slot") {
    in_scheduler([] {
        coir::task_group group{coir::limit{1}};
        bool second_ended = false;
        group.spawn([] { coir::this_fiber::yield(); });
        auto spawner = coir::spawn([&] {
            group.spawn([&] {
                coir::this_fiber::yield();
                second_ended = true;
            });
        });
        coir::this_fiber::yield();
        group.wait();
        CHECK(second_ended);
        spawner.get();
    });
}

TEST_CASE("limit: 0 throws invalid_argument") { CHECK_THROWS_AS(coir::limit{0}, std::invalid_argument); }
