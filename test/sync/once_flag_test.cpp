#include <coir/fiber.hpp>
#include <coir/sync/once_flag.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

using coir::test::error_of;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

namespace {

/// A call that blocks until it is released, and records the fiber that made it.
struct slow_call {
    coir::once_flag flag;
    std::string made_by;
    bool may_end = false;

    void operator()(char name) {
        coir::call_once(flag, [&] {
            made_by += name;
            while (!may_end) coir::this_fiber::yield();
        });
    }

    auto in_fiber(char name) {
        return coir::spawn([this, name] { (*this)(name); });
    }
};

}  // namespace

TEST_CASE(
    "call_once: the first caller makes the call, concurrent callers wait for its end, later callers do not wait") {
    in_scheduler([] {
        slow_call call;
        auto a = call.in_fiber('a');
        auto b = call.in_fiber('b');
        for (int i = 0; i < 3; ++i) coir::this_fiber::yield();
        CHECK_FALSE(b.done());
        call.may_end = true;
        a.get();
        b.get();
        call('c');
        CHECK(call.made_by == "a");
    });
}

TEST_CASE("call_once: forwards its arguments") {
    in_scheduler([] {
        coir::once_flag flag;
        auto number = std::make_unique<int>(6);
        int product = 0;
        coir::call_once(
            flag, [](std::unique_ptr<int> a, int b, int& into) { into = *a * b; }, std::move(number), 7, product);
        CHECK(product == 42);
    });
}

TEST_CASE("call_once: a call that throws does not count, and the longest waiter makes the next call") {
    in_scheduler([] {
        coir::once_flag flag;
        std::string tried;
        const auto attempt = [&](char name, bool fails) {
            return coir::spawn([&, name, fails] {
                coir::call_once(flag, [&] {
                    tried += name;
                    coir::this_fiber::yield();
                    if (fails) throw std::runtime_error{"no"};
                });
            });
        };
        auto a = attempt('a', true);
        auto b = attempt('b', true);
        auto c = attempt('c', false);
        auto d = attempt('d', false);
        CHECK_THROWS_AS(a.get(), std::runtime_error);
        CHECK_THROWS_AS(b.get(), std::runtime_error);
        c.get();
        d.get();
        CHECK(tried == "abc");
    });
}

TEST_CASE("call_once: after a failure without waiters, the next caller makes the call") {
    in_scheduler([] {
        coir::once_flag flag;
        CHECK_THROWS_AS(coir::call_once(flag, [] { throw std::runtime_error{"no"}; }), std::runtime_error);
        bool called = false;
        coir::call_once(flag, [&] { called = true; });
        CHECK(called);
    });
}

TEST_CASE("call_once: a stopped caller hands the call to the next waiter") {
    in_scheduler([] {
        slow_call call;
        auto a = call.in_fiber('a');
        auto b = call.in_fiber('b');
        coir::this_fiber::yield();
        a.request_stop();
        CHECK_THROWS_AS(a.get(), coir::fiber_stopped);
        call.may_end = true;
        b.get();
        CHECK(call.made_by == "ab");
    });
}

TEST_CASE("call_once: a waiter that times out or is stopped leaves nothing behind") {
    in_scheduler([] {
        slow_call call;
        auto a = call.in_fiber('a');
        auto late = coir::spawn([&] { coir::with_timeout(1ms, [&] { call('l'); }); });
        auto stopped = call.in_fiber('s');
        auto next = call.in_fiber('n');
        CHECK_THROWS_AS(late.get(), coir::timed_out);
        stopped.request_stop();
        a.request_stop();
        CHECK_THROWS_AS(a.get(), coir::fiber_stopped);
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        call.may_end = true;
        next.get();
        CHECK(call.made_by == "an");
    });
}

TEST_CASE("call_once: completed and stopped in the same round: the first of the two counts") {
    in_scheduler([] {
        coir::once_flag flag;
        auto caller = coir::spawn([&] { coir::call_once(flag, [] { coir::this_fiber::yield(); }); });
        const auto wait = [&] {
            coir::call_once(flag, [] { FAIL("made twice"); });
            return true;
        };
        auto let_go = coir::spawn(wait);
        auto stopped = coir::spawn(wait);
        coir::this_fiber::yield();
        stopped.request_stop();
        coir::this_fiber::yield();  // the caller runs first, and completes
        CHECK(caller.done());
        CHECK_FALSE(let_go.done());
        let_go.request_stop();
        CHECK(let_go.get());
        CHECK_THROWS_AS((void)stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("call_once: after the call was made it is not a cancellation point") {
    in_scheduler([] {
        coir::once_flag flag;
        coir::call_once(flag, [] {});
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            coir::call_once(flag, [] { FAIL("made twice"); });
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("call_once: a recursive call throws resource_deadlock_would_occur") {
    in_scheduler([] {
        coir::once_flag flag;
        CHECK(error_of([&] { coir::call_once(flag, [&] { coir::call_once(flag, [] {}); }); }) ==
              std::errc::resource_deadlock_would_occur);
    });
}

TEST_CASE("call_once: outside its scheduler it throws, even after the call was made") {
    coir::once_flag flag;
    CHECK_THROWS_AS(coir::call_once(flag, [] {}), coir::not_in_fiber);
    in_scheduler([&] {
        coir::call_once(flag, [] {});
        coir::offload(
            [&] { in_scheduler([&] { CHECK_THROWS_AS(coir::call_once(flag, [] {}), coir::wrong_scheduler); }); });
    });
}

TEST_CASE("call_once: destroying its flag while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto flag = std::make_unique<coir::once_flag>();
            const auto call = [&] { coir::call_once(*flag, [] { coir::this_fiber::yield(); }); };
            auto caller = coir::spawn(call);
            auto waiting = coir::spawn(call);
            coir::this_fiber::yield();
            flag.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("destroyed while fibers wait on it"));
}
