#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "core/scheduler.hpp"
#include "core/task/waiter.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>

using namespace std::chrono_literals;
using coir::detail::outcome;
using coir::detail::scheduler;
using coir::detail::waiter;
using coir::test::in_scheduler;

namespace {

/// Parks the calling fiber and passes its waiter to the test.
outcome park(waiter*& shown, coir::deadline until = coir::never) {
    scheduler& here = scheduler::enter("test");
    waiter me{here.running(), "the test"};
    shown = &me;
    return here.park(me, until);
}

}  // namespace

TEST_CASE("waiter: the first wake wins, and later ones return false") {
    in_scheduler([] {
        waiter* waits = nullptr;
        auto parked = coir::spawn([&] { return park(waits); });
        coir::this_fiber::yield();
        REQUIRE(waits != nullptr);
        CHECK(waits->wake(outcome::closed));
        CHECK_FALSE(waits->wake(outcome::woken));
        CHECK(parked.get() == outcome::closed);
    });
}

TEST_CASE("waiter: a wake after the deadline returns false") {
    in_scheduler([] {
        waiter* waits = nullptr;
        bool late_wake = true;
        auto parked = coir::spawn([&] {
            const auto how = park(waits, 1ms);
            return how;
        });
        coir::this_fiber::yield();
        // The fiber is ready since its deadline passed, but has not run yet; this fiber runs in between.
        while (waits->result == outcome::waiting) coir::this_fiber::yield();
        late_wake = waits->wake(outcome::woken);
        CHECK(parked.get() == outcome::timed_out);
        CHECK_FALSE(late_wake);
    });
}

TEST_CASE("waiter: a fiber that was woken before it was stopped keeps the value it was given") {
    in_scheduler([] {
        waiter* waits = nullptr;
        bool thrown_later = false;
        auto parked = coir::spawn([&] {
            const auto how = park(waits);
            try {
                coir::this_fiber::yield();
            } catch (const coir::cancelled&) {
                thrown_later = true;
            }
            return how;
        });
        coir::this_fiber::yield();
        CHECK(waits->wake(outcome::woken));
        parked.request_stop();
        CHECK(parked.get() == outcome::woken);
        CHECK(thrown_later);
    });
}

TEST_CASE("waiter: a fiber that was stopped before it was woken leaves the wake to the next waiter") {
    in_scheduler([] {
        waiter* waits = nullptr;
        auto parked = coir::spawn([&] { return park(waits); });
        coir::this_fiber::yield();
        parked.request_stop();
        CHECK_FALSE(waits->wake(outcome::woken));
        CHECK_THROWS_AS(parked.get(), coir::fiber_stopped);
    });
}

TEST_CASE("waiter: waking a task that is not parked aborts") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            waiter mine{scheduler::get("test").running(), "nothing"};
            mine.wake(outcome::woken);
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("a task that is not parked is woken"));
    CHECK(how.says("in fiber #1 \"main\""));
}
