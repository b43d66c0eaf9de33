#include <coir/fiber.hpp>
#include <coir/stats.hpp>
#include <coir/this_fiber.hpp>

#include "core/remote/running_schedulers.hpp"
#include "core/scheduler.hpp"
#include "support/escape.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using coir::detail::direction;
using coir::detail::message;
using coir::detail::outcome;
using coir::detail::scheduler;
using coir::detail::scheduler_status;
using coir::detail::unique_fd;
using coir::detail::waiter;
using coir::test::in_scheduler;

namespace {

scheduler& here() { return scheduler::get("test"); }

/// Wakes its waiter on arrival.
struct call : message {
    explicit call(waiter& who)
        : message{[](message& self) noexcept { static_cast<call&>(self).me.wake(outcome::woken); }}, me{who} {}
    waiter& me;
};

/// Parks until another thread posts a message, after `delay`.
void wait_for_other_thread(std::chrono::milliseconds delay) {
    waiter me{here().running(), "another thread"};
    call sent{me};
    coir::detail::inbox& box = here().inbox();
    box.expect();
    const coir::test::other_thread sender{[&] {
        std::this_thread::sleep_for(delay);
        box.post(sent);
    }};
    here().park(me, coir::never);
    box.expect_no_more();
}

void spin_for(std::chrono::nanoseconds length) {
    const auto end = std::chrono::steady_clock::now() + length;
    while (std::chrono::steady_clock::now() < end) {
    }
}

/// Three fibers that only yield, during the lifetime of this object.
struct storm {
    storm() {
        for (int i = 0; i < 3; ++i) {
            fibers.push_back(coir::spawn([this] {
                while (!over) coir::this_fiber::yield();
            }));
        }
    }
    ~storm() { over = true; }

    bool over = false;
    std::vector<coir::fiber<void>> fibers;
};

}  // namespace

TEST_CASE("scheduler: a fiber starts at the next suspension of its spawner, in the order of spawning") {
    in_scheduler([] {
        std::string order;
        auto a = coir::spawn([&] { order += 'a'; });
        auto b = coir::spawn([&] { order += 'b'; });
        auto c = coir::spawn([&] { order += 'c'; });
        CHECK(order.empty());
        coir::this_fiber::yield();
        CHECK(order == "abc");
    });
}

TEST_CASE("scheduler: ready fibers run first come, first served") {
    in_scheduler([] {
        std::string order;
        std::vector<coir::fiber<void>> fibers;
        for (const char name : {'a', 'b', 'c'}) {
            fibers.push_back(coir::spawn([&, name] {
                for (int i = 0; i < 3; ++i) {
                    order += name;
                    coir::this_fiber::yield();
                }
            }));
        }
        for (auto& each : fibers) each.join();
        CHECK(order == "abcabcabc");
    });
}

TEST_CASE("scheduler: a fiber spawned by a fiber runs behind those already ready") {
    in_scheduler([] {
        std::string order;
        auto outer = coir::spawn([&] {
            order += "outer ";
            auto inner = coir::spawn([&] { order += "inner "; });
            inner.join();
            order += "joined";
        });
        auto other = coir::spawn([&] { order += "other "; });
        outer.join();
        CHECK(order == "outer other inner joined");
    });
}

TEST_CASE("scheduler: a yield without other ready fibers returns") {
    in_scheduler([] {
        for (int i = 0; i < 1000; ++i) coir::this_fiber::yield();
        CHECK(coir::this_fiber::in_fiber());
    });
}

TEST_CASE("scheduler: more fibers are ready than the hub resumes between two polls") {
    in_scheduler([] {
        int alive = 0, most = 0;
        std::vector<coir::fiber<void>> fibers;
        for (int i = 0; i < 1000; ++i) {
            fibers.push_back(coir::spawn([&] {
                most = std::max(most, ++alive);
                coir::this_fiber::yield();
                --alive;
            }));
        }
        for (auto& each : fibers) each.join();
        CHECK(most == 1000);
        CHECK(alive == 0);
    });
}

TEST_CASE("scheduler: a storm of yields does not starve timers") {
    in_scheduler([] {
        const storm others;
        coir::this_fiber::sleep_for(1ms);
        coir::this_fiber::sleep_for(1ms);
        CHECK(true);  // without it the test hangs
    });
}

TEST_CASE("scheduler: a storm of yields does not starve descriptors") {
    in_scheduler([] {
        int fds[2];
        REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
        const unique_fd read{fds[0]}, write{fds[1]};
        const storm others;
        auto reader = coir::spawn([&] {
            waiter me{here().running(), "a pipe"};
            REQUIRE(here().reactor().prepare_borrowed(read.get(), me, direction::read));
            here().reactor().count_waiter();
            const outcome how = here().park(me, coir::never);
            here().reactor().discount_waiter();
            here().reactor().finish_borrowed(read.get());
            return how;
        });
        coir::this_fiber::yield();
        REQUIRE(::write(write.get(), "x", 1) == 1);
        CHECK(reader.get() == outcome::woken);
    });
}

TEST_CASE("scheduler: a storm of yields does not starve posts of other threads") {
    in_scheduler([] {
        const storm others;
        wait_for_other_thread(1ms);
        CHECK(true);  // without it the test hangs
    });
}

TEST_CASE("scheduler: a post of another thread wakes a sleeping hub") {
    in_scheduler([] {
        for (int i = 0; i < 20; ++i) wait_for_other_thread(std::chrono::milliseconds{i % 3});
        CHECK(true);  // without it the test hangs
    });
}

TEST_CASE("scheduler: the hub polls after fewer slices if they are long") {
    in_scheduler([] {
        using time = std::chrono::steady_clock::time_point;
        bool over = false;
        std::vector<time> slices;
        std::vector<coir::fiber<void>> fibers;
        for (int i = 0; i < 10; ++i) {
            fibers.push_back(coir::spawn([&] {
                while (!over) {
                    slices.push_back(std::chrono::steady_clock::now());
                    spin_for(1ms);
                    coir::this_fiber::yield();
                }
            }));
        }
        coir::this_fiber::sleep_for(1ms);  // after a full round of long slices, the hub has measured them
        const time due = std::chrono::steady_clock::now() + 5ms;
        coir::this_fiber::sleep_until(due);
        over = true;
        const auto too_many = std::count_if(slices.begin(), slices.end(), [&](time each) { return each > due; });
        // At most one poll interval and one turn of the ten fibers, not a full round of 256.
        CHECK(too_many < 40);
    });
}

TEST_CASE("scheduler: sleepers wake in the order of their deadlines, equal deadlines in the order of their calls") {
    in_scheduler([] {
        std::string order;
        const auto begin = std::chrono::steady_clock::now();
        std::vector<coir::fiber<void>> fibers;
        const auto sleeper = [&](char name, std::chrono::milliseconds length) {
            fibers.push_back(coir::spawn([&order, name, at = begin + length] {
                coir::this_fiber::sleep_until(at);
                order += name;
            }));
        };
        sleeper('d', 6ms);
        sleeper('b', 4ms);
        sleeper('a', 2ms);
        sleeper('e', 6ms);
        sleeper('c', 4ms);
        for (auto& each : fibers) each.join();
        CHECK(order == "abcde");
    });
}

TEST_CASE("scheduler: many fibers sleep at once, and none wakes early") {
    in_scheduler([] {
        std::vector<coir::fiber<bool>> fibers;
        for (std::size_t i = 0; i < coir::test::many_fibers; ++i) {
            fibers.push_back(coir::spawn([i] {
                const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{(i * 7919) % 50'000};
                coir::this_fiber::sleep_until(until);
                return std::chrono::steady_clock::now() >= until;
            }));
        }
        bool all = true;
        for (auto& each : fibers) all = each.get() && all;
        CHECK(all);
    });
}

TEST_CASE("scheduler: a burst of short fibers uses only a few stacks") {
    in_scheduler([] {
        std::set<const void*> stacks;
        std::vector<coir::fiber<void>> fibers;
        for (int i = 0; i < 10'000; ++i) {
            fibers.push_back(coir::spawn([&] { stacks.insert(__builtin_frame_address(0)); }));
        }
        for (auto& each : fibers) each.join();
        CHECK(stacks.size() < 10);
    });
}

TEST_CASE("scheduler: an ended fiber that was not joined has no stack") {
    in_scheduler([] {
        std::set<const void*> stacks;
        std::vector<coir::fiber<void>> ended;
        for (int i = 0; i < 100; ++i) {
            ended.push_back(coir::spawn([&] { stacks.insert(__builtin_frame_address(0)); }));
            coir::this_fiber::yield();
        }
        CHECK(stacks.size() < 5);
        for (const auto& each : ended) CHECK(each.done());
    });
}

TEST_CASE("scheduler: fibers of different stack sizes run in one burst") {
    in_scheduler([] {
        std::vector<coir::fiber<std::size_t>> fibers;
        for (std::size_t i = 0; i < 300; ++i) {
            fibers.push_back(coir::spawn({.stack_size = (64 + 64 * (i % 4)) << 10}, [i] {
                if (i % 3 == 0) coir::this_fiber::yield();
                return coir::this_fiber::stack_remaining();
            }));
        }
        for (std::size_t i = 0; i < 300; ++i) {
            const std::size_t whole = (64 + 64 * (i % 4)) << 10;
            const std::size_t left = fibers[i].get();
            CHECK(left < whole);
            CHECK(left > whole / 2);
        }
    });
}

// Skipped with sanitizers: the figure would include their shadow memory, which is not freed.
TEST_CASE("scheduler: the memory of a burst is released while the scheduler idles" *
          doctest::skip(coir::test::sanitized)) {
    const auto pages_in_memory = [] {
        std::ifstream statm{"/proc/self/statm"};
        std::size_t whole = 0, resident = 0;
        statm >> whole >> resident;
        return resident;
    };
    in_scheduler([&] {
        const std::size_t before = pages_in_memory();
        {
            std::vector<coir::fiber<void>> fibers;
            for (int i = 0; i < 2'000; ++i) {
                fibers.push_back(coir::spawn([] {
                    volatile char used[100'000];
                    coir::test::escape(used);
                    for (std::size_t at = 0; at < sizeof used; at += 4096) used[at] = 1;
                    coir::this_fiber::yield();
                }));
            }
            for (auto& each : fibers) each.join();
        }
        const std::size_t burst = pages_in_memory() - before;
        CHECK(burst > 2'000 * 20);
        // Each second that does not need the surplus releases half of it.
        for (int seconds = 0; seconds < 20 && pages_in_memory() > before + burst / 2; ++seconds) {
            coir::this_fiber::sleep_for(500ms);
        }
        CHECK(pages_in_memory() <= before + burst / 2);
    });
}

TEST_CASE("scheduler: the memory of a burst is released beside a fiber that is always ready" *
          doctest::skip(coir::test::sanitized)) {
    in_scheduler([] {
        {
            std::vector<coir::fiber<void>> fibers;
            for (int i = 0; i < 2'000; ++i) fibers.push_back(coir::spawn([] { coir::this_fiber::yield(); }));
            for (auto& each : fibers) each.join();
        }
        const std::size_t burst = coir::stats().stacks_pooled;
        CHECK(burst >= 2'000);
        const auto at_the_latest = std::chrono::steady_clock::now() + 20s;
        while (coir::stats().stacks_pooled > burst / 2 && std::chrono::steady_clock::now() < at_the_latest) {
            coir::this_fiber::yield();
        }
        CHECK(coir::stats().stacks_pooled <= burst / 2);
    });
}

TEST_CASE("scheduler: publishes the running task, and that a fiber runs") {
    CHECK(coir::detail::this_thread_status() == nullptr);
    in_scheduler([] {
        scheduler_status* const seen = coir::detail::this_thread_status();
        REQUIRE(seen == &here().status());
        CHECK(seen->tid == ::gettid());
        CHECK(seen->selector == scheduler_status::block);
        CHECK(seen->running.load()->id == coir::this_fiber::id());
        auto other = coir::spawn([&] {
            CHECK(seen->running.load()->id == coir::this_fiber::id());
            CHECK(seen->selector == scheduler_status::block);
        });
        const auto before = seen->slices.load();
        other.join();
        CHECK(seen->slices.load() > before);
        CHECK(seen->running.load()->id == coir::this_fiber::id());
    });
    CHECK(coir::detail::this_thread_status() == nullptr);
}

TEST_CASE("scheduler: a request of a detector runs once at the next suspension, and may throw there") {
    in_scheduler([] {
        scheduler_status& thread = here().status();
        thread.on_pending = [](scheduler_status& of) {
            of.pending = false;
            throw std::runtime_error{"you have blocked"};
        };
        thread.pending = true;
        CHECK_THROWS_WITH(coir::this_fiber::yield(), "you have blocked");
        coir::this_fiber::yield();
        thread.pending = true;
        CHECK_THROWS_WITH(coir::this_fiber::sleep_for(1ms), "you have blocked");
    });
}

TEST_CASE("scheduler: a request of a detector is deferred during unwinding and in a destructor that joins") {
    in_scheduler([] {
        struct yields_when_destroyed {
            ~yields_when_destroyed() { coir::this_fiber::yield(); }
        };
        scheduler_status& thread = here().status();
        thread.on_pending = [](scheduler_status& of) {
            of.pending = false;
            throw std::runtime_error{"you have blocked"};
        };
        thread.pending = true;
        CHECK_THROWS_WITH(
            [] {
                const yields_when_destroyed local;
                throw std::logic_error{"unwinds"};
            }(),
            "unwinds");
        {
            const auto joined_by_destructor = coir::spawn([] {});
        }
        CHECK(thread.pending);
        CHECK_THROWS_WITH(coir::this_fiber::yield(), "you have blocked");
    });
}

TEST_CASE("scheduler: the selector says that no fiber runs while the hub sleeps") {
    in_scheduler([] {
        // Observed in a message's arrive(), which the hub calls.
        struct looks : call {
            looks(waiter& who, const scheduler_status& at) : call{who}, thread{at} {
                arrive = [](message& self) noexcept {
                    auto& mine = static_cast<looks&>(self);
                    mine.selector = mine.thread.selector;
                    mine.me.wake(outcome::woken);
                };
            }
            const scheduler_status& thread;
            unsigned char selector = scheduler_status::block;
        };
        waiter me{here().running(), "a message"};
        looks sent{me, here().status()};
        here().inbox().post(sent);
        here().park(me, coir::never);
        CHECK(sent.selector == scheduler_status::allow);
    });
}

TEST_CASE("scheduler: each scheduler has its own serial number, which is alive while it runs") {
    std::uint64_t first = 0, second = 0;
    in_scheduler([&] {
        first = here().serial();
        CHECK(coir::detail::running_schedulers::contain(first));
    });
    CHECK_FALSE(coir::detail::running_schedulers::contain(first));
    in_scheduler([&] { second = here().serial(); });
    CHECK(second != first);
    CHECK(second != 0);
}
