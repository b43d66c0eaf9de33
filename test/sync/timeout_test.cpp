#include <coir/fiber.hpp>
#include <coir/gather.hpp>
#include <coir/shield.hpp>
#include <coir/sync/event.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/spawn_on.hpp>
#include <coir/timeout.hpp>

#include "support/compute_for.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <system_error>

using coir::test::compute_for;
using coir::test::in_scheduler;
using coir::this_fiber::sleep_for;
using namespace std::chrono_literals;

TEST_CASE("timeout_scope: after its time has passed every suspension throws, until the scope is left") {
    in_scheduler([] {
        const auto before = std::chrono::steady_clock::now();
        {
            const coir::timeout_scope scope{20ms};
            CHECK_FALSE(scope.expired());
            CHECK_THROWS_AS(sleep_for(1h), coir::scope_expired);
            CHECK(std::chrono::steady_clock::now() - before >= 20ms);
            CHECK(scope.expired());
            CHECK_THROWS_AS(sleep_for(1h), coir::scope_expired);
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::scope_expired);
        }
        coir::this_fiber::yield();
        sleep_for(1us);
    });
}

TEST_CASE("timeout_scope: a scope left in time has no later effect") {
    in_scheduler([] {
        { const coir::timeout_scope scope{1ms}; }
        sleep_for(3ms);
        { const coir::timeout_scope scope{coir::never}; }
        coir::this_fiber::yield();
    });
}

TEST_CASE("timeout_scope: with a time in the past, the first suspension throws") {
    in_scheduler([] {
        const coir::timeout_scope scope{-1s};
        CHECK(scope.expired());
        CHECK_THROWS_AS(coir::this_fiber::yield(), coir::scope_expired);
    });
}

TEST_CASE("timeout_scope: an outer scope may expire within an inner one, and a handler can distinguish them") {
    in_scheduler([] {
        const coir::timeout_scope outer{1ms};
        {
            const coir::timeout_scope inner{1h};
            try {
                sleep_for(1h);
                FAIL("slept");
            } catch (const coir::scope_expired& expiry) {
                CHECK(expiry.belongs_to(outer));
                CHECK_FALSE(expiry.belongs_to(inner));
                CHECK_FALSE(inner.expired());
            }
        }
        CHECK_THROWS_AS(coir::this_fiber::yield(), coir::scope_expired);
    });
}

TEST_CASE("timeout_scope: an inner scope expires alone") {
    in_scheduler([] {
        const coir::timeout_scope outer{1h};
        {
            const coir::timeout_scope inner{1ms};
            CHECK_THROWS_AS(sleep_for(1h), coir::scope_expired);
        }
        CHECK_FALSE(outer.expired());
        coir::this_fiber::yield();
    });
}

TEST_CASE("timeout_scope: limits only its own fiber") {
    in_scheduler([] {
        const coir::timeout_scope scope{1ms};
        auto other = coir::spawn([] {
            sleep_for(3ms);
            return true;
        });
        CHECK_THROWS_AS(sleep_for(1h), coir::scope_expired);
        const coir::shield_scope shield;
        CHECK(other.get());
    });
}

TEST_CASE("timeout_scope: an expiry is deferred while a destructor suspends during unwinding") {
    in_scheduler([] {
        bool whole = false;
        struct tidies_up {
            bool& whole;
            ~tidies_up() {
                sleep_for(1ms);
                coir::this_fiber::yield();
                whole = true;
            }
        };
        CHECK_THROWS_AS(coir::with_timeout(1ms,
                                           [&] {
                                               const tidies_up at_end{whole};
                                               sleep_for(1h);
                                           }),
                        coir::timed_out);
        CHECK(whole);
    });
}

TEST_CASE("timeout_scope: a stop takes precedence over an expiry") {
    in_scheduler([] {
        auto both = coir::spawn([] {
            const coir::timeout_scope scope{-1s};
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
        });
        both.request_stop();
        both.get();
    });
}

TEST_CASE("timeout_scope: an expiry that ends its fiber is timed_out for the fiber that asks for the result") {
    const auto overdue = [] {
        const coir::timeout_scope scope{-1s};
        coir::this_fiber::yield();
    };
    in_scheduler([&] { CHECK_THROWS_AS(coir::spawn(overdue).get(), coir::timed_out); });
    in_scheduler([&] {
        coir::task_group group;
        group.spawn(overdue);
        CHECK_THROWS_AS(group.wait(), coir::timed_out);
    });
    in_scheduler([&] { CHECK_THROWS_AS(coir::gather(overdue, [] {}), coir::timed_out); });
    in_scheduler([&] { CHECK_THROWS_AS(coir::spawn_on(coir::this_scheduler(), overdue).get(), coir::timed_out); });
    CHECK_THROWS_AS(coir::run(overdue), coir::timed_out);
}

TEST_CASE("timeout_scope: outside a fiber it throws not_in_fiber") {
    CHECK_THROWS_AS([] { const coir::timeout_scope scope{1ms}; }(), coir::not_in_fiber);
    CHECK_THROWS_AS([] { const coir::shield_scope shield; }(), coir::not_in_fiber);
    CHECK_THROWS_AS(coir::with_timeout(1ms, [] {}), coir::not_in_fiber);
}

TEST_CASE("timeout_scope: leaving it before an inner scope aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto outer = std::make_unique<coir::timeout_scope>(1h);
            const coir::timeout_scope inner{1h};
            outer.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("~timeout_scope: the scope is not the innermost one of its fiber"));
}

TEST_CASE("shield_scope: holds back a stop, which is thrown at the first suspension after the shield") {
    in_scheduler([] {
        std::string log;
        coir::event go;
        auto shielded = coir::spawn([&] {
            {
                const coir::shield_scope shield;
                go.wait();
                coir::this_fiber::yield();
                sleep_for(1ms);
                coir::this_fiber::throw_if_stopped();
                log += "whole ";
            }
            try {
                coir::this_fiber::yield();
            } catch (const coir::cancelled&) {
                log += "stopped";
                throw;
            }
        });
        coir::this_fiber::yield();
        shielded.request_stop();
        coir::this_fiber::yield();
        CHECK_FALSE(shielded.done());
        go.set();
        CHECK_THROWS_AS(shielded.get(), coir::fiber_stopped);
        CHECK(log == "whole stopped");
    });
}

TEST_CASE("shield_scope: shields can be nested") {
    in_scheduler([] {
        auto shielded = coir::spawn([] {
            const coir::shield_scope outer;
            { const coir::shield_scope inner; }
            coir::this_fiber::yield();
            return true;
        });
        shielded.request_stop();
        CHECK(shielded.get());
    });
}

TEST_CASE("shield_scope: holds back outer scopes, but not inner ones") {
    in_scheduler([] {
        const coir::timeout_scope around{1ms};
        {
            const coir::shield_scope shield;
            sleep_for(3ms);
            CHECK(around.expired());
            CHECK_THROWS_AS(coir::with_timeout(1ms, [] { sleep_for(1h); }), coir::timed_out);
            coir::this_fiber::yield();
        }
        CHECK_THROWS_AS(coir::this_fiber::yield(), coir::scope_expired);
    });
}

TEST_CASE("with_timeout: returns the result of a function that ends in time") {
    in_scheduler([] {
        CHECK(coir::with_timeout(1h, [] { return 42; }) == 42);
        int number = 1;
        CHECK(&coir::with_timeout(1h, [&]() -> int& { return number; }) == &number);
        coir::with_timeout(coir::never, [] { coir::this_fiber::yield(); });
        CHECK(*coir::with_timeout(1h, [] { return std::make_unique<int>(7); }) == 7);
    });
}

TEST_CASE("with_timeout: throws timed_out, a std::system_error, when the time has passed") {
    in_scheduler([] {
        try {
            coir::with_timeout(1ms, [] { sleep_for(1h); });
            FAIL("slept");
        } catch (const std::system_error& thrown) {
            CHECK(thrown.code() == std::errc::timed_out);
        }
        coir::this_fiber::yield();
    });
}

TEST_CASE("with_timeout: an existing result is returned, however late") {
    in_scheduler([] {
        const auto late = [] {
            const coir::shield_scope shield;
            sleep_for(3ms);
            return 42;
        };
        CHECK(coir::with_timeout(1ms, late) == 42);
    });
}

TEST_CASE("with_timeout: a handler for std::exception inside does not catch the expiry") {
    in_scheduler([] {
        CHECK_THROWS_AS(coir::with_timeout(1ms,
                                           [] {
                                               for (;;) {
                                                   try {
                                                       sleep_for(1h);
                                                   } catch (const std::exception&) {
                                                   }
                                               }
                                           }),
                        coir::timed_out);
    });
}

TEST_CASE("with_timeout: an expiry that was caught is thrown again") {
    in_scheduler([] {
        int swallowed = 0;
        CHECK_THROWS_AS(coir::with_timeout(1ms,
                                           [&] {
                                               while (swallowed < 3) {
                                                   try {
                                                       sleep_for(1h);
                                                   } catch (...) {
                                                       ++swallowed;
                                                   }
                                               }
                                               sleep_for(1h);
                                           }),
                        coir::timed_out);
        CHECK(swallowed == 3);
    });
}

TEST_CASE("with_timeout: of two nested limits, the expired one throws at its own boundary") {
    in_scheduler([] {
        bool inner_timed_out = false;
        CHECK_THROWS_AS(coir::with_timeout(1ms,
                                           [&] {
                                               try {
                                                   coir::with_timeout(1h, [] { sleep_for(1h); });
                                               } catch (const coir::timed_out&) {
                                                   inner_timed_out = true;
                                               }
                                           }),
                        coir::timed_out);
        CHECK_FALSE(inner_timed_out);

        CHECK(coir::with_timeout(1h, [] { return coir::try_with_timeout(1ms, [] { sleep_for(1h); }); }) == false);
    });
}

TEST_CASE("with_timeout: throws the function's exception unchanged") {
    in_scheduler([] {
        CHECK_THROWS_AS(coir::with_timeout(1h, [] { throw std::domain_error{"mine"}; }), std::domain_error);
        auto stopped = coir::spawn([] { coir::with_timeout(1h, [] { sleep_for(1h); }); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("try_with_timeout: returns an optional, or bool for void functions") {
    in_scheduler([] {
        CHECK(coir::try_with_timeout(1h, [] { return 42; }) == 42);
        CHECK(coir::try_with_timeout(1ms, [] {
                  sleep_for(1h);
                  return 42;
              }) == std::nullopt);
        CHECK(coir::try_with_timeout(1h, [] {}));
        CHECK_FALSE(coir::try_with_timeout(1ms, [] { sleep_for(1h); }));
        CHECK_THROWS_AS((void)coir::try_with_timeout(1h, [] { throw std::domain_error{"mine"}; }), std::domain_error);
    });
}

TEST_CASE("timeout_scope: a wait that was woken before the scope expired returns") {
    in_scheduler([] {
        coir::event happened;
        bool returned = false;
        auto waiting = coir::spawn([&] {
            const coir::timeout_scope scope{20ms};
            happened.wait();
            returned = true;
        });
        coir::this_fiber::yield();
        compute_for(25ms);
        happened.set();  // the hub has not checked its timers
        waiting.get();
        CHECK(returned);
    });
}
