#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/future.hpp>
#include <coir/thread/offload.hpp>
#include <coir/thread/promise.hpp>
#include <coir/timeout.hpp>

#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using coir::test::error_of;
using coir::test::in_scheduler;
using coir::test::other_thread;
using namespace std::chrono_literals;

namespace {

template <class F> std::optional<std::future_errc> future_error_of(F&& body) {
    try {
        body();
    } catch (const std::future_error& thrown) {
        return static_cast<std::future_errc>(thrown.code().value());
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("future: a thread sets the result, and the waiting fiber gets it while others run") {
    in_scheduler([] {
        coir::promise<std::unique_ptr<int>> made;
        auto awaited = made.get_future();
        int turns = 0;
        auto other = coir::spawn([&] {
            for (;; ++turns) coir::this_fiber::yield();
        });
        const other_thread maker{[&] { made.set_value(std::make_unique<int>(42)); }};
        CHECK(*awaited.get() == 42);
        CHECK_FALSE(awaited.valid());
        other.request_stop();
    });
}

TEST_CASE("future: an existing result is returned without a wait") {
    in_scheduler([] {
        coir::promise<int> made;
        auto awaited = made.get_future();
        CHECK_FALSE(awaited.ready());
        made.set_value(1);
        CHECK(awaited.ready());
        CHECK(awaited.get() == 1);
    });
}

TEST_CASE("future: a fiber sets the result for a fiber of the same scheduler") {
    in_scheduler([] {
        coir::promise<void> made;
        auto awaited = made.get_future();
        auto maker = coir::spawn([&] { made.set_value(); });
        awaited.get();
    });
}

TEST_CASE("future: a thread without a scheduler waits for the result of a fiber") {
    coir::promise<std::string> made;
    auto awaited = made.get_future();
    std::jthread fibers{[&] { in_scheduler([&] { made.set_value("from a fiber"); }); }};
    CHECK(awaited.get() == "from a fiber");
}

TEST_CASE("future: references and exceptions are passed as well") {
    in_scheduler([] {
        int number = 1;
        coir::promise<int&> reference;
        auto to_it = reference.get_future();
        reference.set_value(number);
        CHECK(&to_it.get() == &number);

        coir::promise<int> failure;
        auto awaited = failure.get_future();
        const other_thread maker{[&] {
            auto why = std::make_exception_ptr(std::runtime_error{"did not work out"});
            failure.set_exception(std::move(why));
        }};
        CHECK_THROWS_WITH_AS(awaited.get(), "did not work out", std::runtime_error);
    });
}

TEST_CASE("future: a promise destroyed without a result is broken") {
    in_scheduler([] {
        auto made = std::make_unique<coir::promise<int>>();
        auto awaited = made->get_future();
        const other_thread breaker{[&] { made.reset(); }};
        CHECK(future_error_of([&] { awaited.get(); }) == std::future_errc::broken_promise);
    });
}

TEST_CASE("future: after a timeout, get may be called again") {
    in_scheduler([] {
        coir::promise<int> made;
        auto awaited = made.get_future();
        CHECK_THROWS_AS(awaited.get(1ms), coir::timed_out);
        CHECK(awaited.wait_for(1ms) == std::future_status::timeout);
        made.set_value(7);
        CHECK(awaited.wait_for(0ms) == std::future_status::ready);
        CHECK(awaited.get() == 7);
    });
    coir::promise<int> made;
    auto awaited = made.get_future();
    CHECK_THROWS_AS(awaited.get(1ms), coir::timed_out);
}

TEST_CASE("future: a stop ends the wait, and the result is not lost") {
    in_scheduler([] {
        coir::promise<int> made;
        auto awaited = made.get_future();
        auto waits = coir::spawn([&] { awaited.get(); });
        coir::this_fiber::yield();
        waits.request_stop();
        waits.join();
        made.set_value(3);
        CHECK(awaited.get() == 3);
    });
}

TEST_CASE("future: a result that arrives at the same time as a stop is not lost") {
    in_scheduler([] {
        for (int round = 0; round < 300; ++round) {
            coir::promise<int> made;
            auto awaited = made.get_future();
            std::optional<int> got;
            auto waits = coir::spawn([&] { got = awaited.get(); });
            coir::this_fiber::yield();
            auto maker = coir::spawn([&] { coir::offload([&] { made.set_value(round); }); });
            if (round % 2 == 0) coir::this_fiber::yield();
            waits.request_stop();
            waits.join();
            maker.get();
            if (!got) got = awaited.get();
            CHECK(got == round);
        }
    });
}

TEST_CASE("future: only one thread or fiber may wait at a time") {
    in_scheduler([] {
        coir::promise<int> made;
        auto awaited = made.get_future();
        auto waits = coir::spawn([&] { awaited.wait_until(coir::never); });
        coir::this_fiber::yield();
        CHECK(error_of([&] { awaited.get(); }) == std::errc::operation_not_permitted);
        made.set_value(1);
        waits.get();
    });
}

TEST_CASE("promise: the result and the future can each be obtained once") {
    coir::promise<int> made;
    auto awaited = made.get_future();
    CHECK(future_error_of([&] { static_cast<void>(made.get_future()); }) == std::future_errc::future_already_retrieved);
    made.set_value(1);
    CHECK(future_error_of([&] { made.set_value(2); }) == std::future_errc::promise_already_satisfied);
    const coir::promise<int> moved = std::move(made);
    CHECK(future_error_of([&] { made.set_value(2); }) == std::future_errc::no_state);
    CHECK(awaited.get() == 1);
    CHECK(future_error_of([&] { awaited.get(); }) == std::future_errc::no_state);
}

TEST_CASE("promise: an exception from constructing the value leaves the promise unchanged") {
    struct fragile {
        explicit fragile(bool breaks) {
            if (breaks) throw std::runtime_error{"broken"};
        }
    };
    coir::promise<fragile> made;
    auto awaited = made.get_future();
    CHECK_THROWS_AS(made.set_value(true), std::runtime_error);
    CHECK_FALSE(awaited.ready());
    made.set_value(false);
    CHECK(awaited.ready());
}
