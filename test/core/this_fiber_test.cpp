#include <coir/dump.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/fiber_local.hpp>
#include <coir/this_fiber.hpp>

#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using coir::test::in_scheduler;
namespace this_fiber = coir::this_fiber;

TEST_CASE("this_fiber: in_fiber is true inside run and false outside") {
    CHECK_FALSE(this_fiber::in_fiber());
    in_scheduler([] {
        CHECK(this_fiber::in_fiber());
        CHECK(coir::spawn([] { return this_fiber::in_fiber(); }).get());
        const coir::test::other_thread plain{[] { CHECK_FALSE(this_fiber::in_fiber()); }};
    });
    CHECK_FALSE(this_fiber::in_fiber());
}

TEST_CASE("this_fiber: the first fiber is number 1 and called main") {
    in_scheduler([] {
        CHECK(this_fiber::id() == 1);
        CHECK(this_fiber::name() == "main");
    });
}

TEST_CASE("this_fiber: a sleep never ends early, however short") {
    in_scheduler([] {
        for (const std::chrono::nanoseconds length : {1ns, 1'000ns, 300'000ns, 2'000'000ns}) {
            const auto before = std::chrono::steady_clock::now();
            this_fiber::sleep_for(length);
            CHECK(std::chrono::steady_clock::now() - before >= length);
        }
        const auto point = std::chrono::steady_clock::now() + 2ms;
        this_fiber::sleep_until(point);
        CHECK(std::chrono::steady_clock::now() >= point);
        this_fiber::sleep_for(std::chrono::duration<double, std::milli>{0.5});
    });
}

TEST_CASE("this_fiber: a sleep of zero length, or until a past time, lets other fibers run once") {
    in_scheduler([] {
        int rounds = 0;
        bool over = false;
        auto other = coir::spawn([&] {
            while (!over) {
                ++rounds;
                this_fiber::yield();
            }
        });
        this_fiber::sleep_for(0s);
        CHECK(rounds == 1);
        this_fiber::sleep_for(-1h);
        CHECK(rounds == 2);
        this_fiber::sleep_until(std::chrono::steady_clock::now() - 1h);
        CHECK(rounds > 2);
        over = true;
    });
}

TEST_CASE("this_fiber: a hundred concurrent sleeps take as long as one") {
    in_scheduler([] {
        const auto before = std::chrono::steady_clock::now();
        std::vector<coir::fiber<void>> fibers;
        for (int i = 0; i < 100; ++i) fibers.push_back(coir::spawn([] { this_fiber::sleep_for(50ms); }));
        for (auto& each : fibers) each.join();
        const auto took = std::chrono::steady_clock::now() - before;
        CHECK(took >= 50ms);
        CHECK(took < 2500ms);  // half of the sum
    });
}

TEST_CASE("this_fiber: stack_remaining shrinks as the stack grows") {
    in_scheduler([] {
        const std::size_t before = this_fiber::stack_remaining();
        // With a constant, the array would be part of the frame from the beginning.
        volatile std::size_t bytes = 10'000;
        volatile auto* const room = static_cast<volatile char*>(__builtin_alloca(bytes));
        room[0] = 1;
        const std::size_t after = this_fiber::stack_remaining();
        CHECK(before - after >= 9'000);
        CHECK(before - after < 20'000);
    });
}

TEST_CASE("this_fiber: the first fiber has the stack size of the options, 8 MiB by default") {
    CHECK(in_scheduler([] { return this_fiber::stack_remaining(); }) > std::size_t{7} << 20);
    coir::run_options options;
    options.main_stack_size = std::size_t{1} << 20;
    CHECK(in_scheduler(options, [] { return this_fiber::stack_remaining(); }) < std::size_t{1} << 20);
}

TEST_CASE("this_fiber: outside a fiber, each call that needs one throws not_in_fiber with its own name") {
    coir::fiber_local<int> local;
    std::ostringstream out;
    const std::vector<std::pair<std::string, std::function<void()>>> calls{
        {"this_fiber::yield", [] { this_fiber::yield(); }},
        {"this_fiber::sleep_until", [] { this_fiber::sleep_for(1ms); }},
        {"this_fiber::sleep_until", [] { this_fiber::sleep_until(coir::never); }},
        {"this_fiber::id", [] { static_cast<void>(this_fiber::id()); }},
        {"this_fiber::name", [] { static_cast<void>(this_fiber::name()); }},
        {"this_fiber::stop_token", [] { static_cast<void>(this_fiber::stop_token()); }},
        {"this_fiber::throw_if_stopped", [] { this_fiber::throw_if_stopped(); }},
        {"this_fiber::stack_remaining", [] { static_cast<void>(this_fiber::stack_remaining()); }},
        {"spawn", [] { static_cast<void>(coir::spawn([] {})); }},
        {"dump_fibers", [&] { coir::dump_fibers(out); }},
        {"fiber_local", [&] { *local = 1; }},
    };
    for (const auto& each : calls) {
        INFO(each.first);
        try {
            each.second();
            FAIL_CHECK("does not throw");
        } catch (const coir::not_in_fiber& thrown) {
            CHECK(std::string{thrown.what()} == each.first + " was called outside a fiber: call it within coir::run");
        }
    }
}
