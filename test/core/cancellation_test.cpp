#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <istream>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <streambuf>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::test::in_scheduler;

namespace {

/// Whether `suspend` throws `cancelled`.
bool is_cancelled(auto suspend) {
    try {
        suspend();
    } catch (const coir::cancelled&) {
        return true;
    }
    return false;
}

void yield() { coir::this_fiber::yield(); }

}  // namespace

TEST_CASE("cancellation: a fiber stopped before its first run still starts, and its first suspension throws") {
    in_scheduler([] {
        std::string did;
        auto fiber = coir::spawn([&] {
            did += "began ";
            if (is_cancelled(yield)) did += "cancelled";
        });
        fiber.request_stop();
        fiber.join();
        CHECK(did == "began cancelled");
    });
}

TEST_CASE("cancellation: a stop ends a wait immediately") {
    in_scheduler([] {
        bool cancelled = false;
        auto fiber = coir::spawn([&] { cancelled = is_cancelled([] { coir::this_fiber::sleep_for(1h); }); });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK_FALSE(cancelled);  // the stop is delivered when the fiber runs next
        fiber.join();
        CHECK(cancelled);
    });
}

TEST_CASE("cancellation: every suspension throws, until the fiber ends") {
    in_scheduler([] {
        int told = 0;
        auto fiber = coir::spawn([&] {
            auto child = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
            const std::vector<void (*)()> suspensions{
                yield,
                [] { coir::this_fiber::sleep_for(1h); },
                [] { coir::this_fiber::sleep_for(0s); },
                [] { coir::this_fiber::sleep_until(coir::never); },
                [] { coir::this_fiber::throw_if_stopped(); },
            };
            coir::this_fiber::yield();
            for (int round = 0; round < 2; ++round) {
                for (const auto suspend : suspensions) told += is_cancelled(suspend);
                told += is_cancelled([&] { child.join(); });
                told += is_cancelled([&] { child.wait_for(1h); });
                told += is_cancelled([&] { child.get(); });
            }
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        fiber.join();
        CHECK(told == 16);
    });
}

TEST_CASE("cancellation: a fiber that is being stopped can still join an ended fiber") {
    in_scheduler([] {
        auto ended = coir::spawn([] { return 1; });
        ended.join();
        auto fiber = coir::spawn([&] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
            }
            return ended.get();
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK(fiber.get() == 1);
    });
}

TEST_CASE("cancellation: handlers of std::exception do not catch a stop") {
    in_scheduler([] {
        bool swallowed = false;
        auto fiber = coir::spawn([&] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const std::exception&) {
                swallowed = true;
            }
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK_THROWS_AS(fiber.get(), coir::fiber_stopped);
        CHECK_FALSE(swallowed);
    });
}

TEST_CASE("cancellation: a loop that catches every stop does not starve other fibers, and is named in the log") {
    const coir::test::captured_log log;
    in_scheduler([] {
        bool over = false;
        int rounds = 0;
        auto stubborn = coir::spawn({.name = "stubborn"}, [&] {
            while (!over) {
                ++rounds;
                try {
                    coir::this_fiber::sleep_for(1h);
                } catch (...) {
                }
            }
        });
        coir::this_fiber::yield();
        stubborn.request_stop();
        coir::this_fiber::sleep_for(1ms);
        while (rounds < 100'000) coir::this_fiber::yield();
        over = true;
        stubborn.join();
    });
    CHECK(log.count("\"stubborn\" ignores a stop or an expired timeout: this_fiber::sleep_until has thrown 1000") == 1);
    CHECK(log.count("this_fiber::sleep_until has thrown 64000 times in a row") == 1);
    CHECK(log.count("ignores a stop") == 7);
    if (coir::detail::has_source_lines()) CHECK(log.count("times in a row, in ") == 7);
}

TEST_CASE("cancellation: input streams swallow a stop, and the next suspension throws it again") {
    struct slow_source : std::streambuf {
        int_type underflow() override {
            coir::this_fiber::sleep_for(1h);
            return traits_type::eof();
        }
    };
    in_scheduler([] {
        bool swallowed = false, told_again = false;
        auto fiber = coir::spawn([&] {
            slow_source source;
            std::istream in{&source};
            std::string line;
            std::getline(in, line);
            swallowed = in.bad();
            told_again = is_cancelled(yield);
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        fiber.join();
        CHECK(swallowed);
        CHECK(told_again);
    });
}

TEST_CASE("cancellation: a stop is held back during stack unwinding, and delivered afterwards") {
    in_scheduler([] {
        struct suspends_when_destroyed {
            ~suspends_when_destroyed() {
                coir::this_fiber::yield();
                coir::this_fiber::sleep_for(1ms);
                finished = true;
            }
            bool& finished;
        };
        bool destroyed = false, caught = false, told_afterwards = false;
        auto fiber = coir::spawn([&] {
            try {
                const suspends_when_destroyed local{destroyed};
                throw std::runtime_error{"unwinds"};
            } catch (const std::runtime_error&) {
                caught = true;
            }
            told_afterwards = is_cancelled(yield);
        });
        fiber.request_stop();
        fiber.join();
        CHECK(destroyed);
        CHECK(caught);
        CHECK(told_afterwards);
    });
}

TEST_CASE("cancellation: a stop that arrives during a wait in unwinding does not interrupt it") {
    in_scheduler([] {
        struct waits_when_destroyed {
            ~waits_when_destroyed() {
                child.join();
                finished = true;
            }
            coir::fiber<void>& child;
            bool& finished;
        };
        bool go_on = false, finished = false;
        auto fiber = coir::spawn([&] {
            auto child = coir::spawn([&] {
                while (!go_on) coir::this_fiber::yield();
            });
            const waits_when_destroyed local{child, finished};
            throw std::runtime_error{"unwinds"};
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        coir::this_fiber::yield();
        CHECK_FALSE(fiber.done());
        go_on = true;
        CHECK_THROWS_WITH(fiber.get(), "unwinds");
        CHECK(finished);
    });
}

TEST_CASE("cancellation: a suspension in a handler throws like any other, as the stop was caught") {
    in_scheduler([] {
        bool told_in_handler = false;
        auto fiber = coir::spawn([&] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
                told_in_handler = is_cancelled(yield);
                throw;
            }
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK_THROWS_AS(fiber.get(), coir::fiber_stopped);
        CHECK(told_in_handler);
    });
}

TEST_CASE("cancellation: throw_if_stopped does nothing without a stop, and lets other fibers run with one") {
    in_scheduler([] {
        coir::this_fiber::throw_if_stopped();
        bool other_ran = false, ran_before_throw = false;
        auto fiber = coir::spawn([&] {
            if (is_cancelled([] { coir::this_fiber::throw_if_stopped(); })) ran_before_throw = other_ran;
        });
        fiber.request_stop();
        auto other = coir::spawn([&] { other_ran = true; });
        fiber.join();
        CHECK(ran_before_throw);
    });
}

TEST_CASE("cancellation: a fiber may request its own stop") {
    in_scheduler([] {
        coir::fiber<void> self;
        bool cancelled = false;
        self = coir::spawn([&] {
            self.request_stop();
            cancelled = is_cancelled(yield);
        });
        self.join();
        CHECK(cancelled);
    });
}

TEST_CASE("cancellation: stop_token reports a stop requested before or after it was obtained") {
    in_scheduler([] {
        auto early = coir::spawn([] {
            const std::stop_token token = coir::this_fiber::stop_token();
            CHECK(token.stop_possible());
            CHECK_FALSE(token.stop_requested());
            CHECK(coir::this_fiber::stop_token() == token);
            is_cancelled([] { coir::this_fiber::sleep_for(1h); });
            return token.stop_requested();
        });
        auto late = coir::spawn([] { return coir::this_fiber::stop_token().stop_requested(); });
        late.request_stop();
        coir::this_fiber::yield();
        early.request_stop();
        CHECK(early.get());
        CHECK(late.get());
    });
}

TEST_CASE("cancellation: a stop_token outlives its fiber") {
    std::optional<std::stop_token> token;
    in_scheduler([&] {
        auto fiber = coir::spawn([&] {
            token = coir::this_fiber::stop_token();
            coir::this_fiber::sleep_for(1h);
        });
        coir::this_fiber::yield();
        fiber.request_stop();
    });
    CHECK(token->stop_requested());
}

TEST_CASE("cancellation: a stop callback runs once, in the fiber that requests the stop") {
    in_scheduler([] {
        std::vector<std::uint64_t> ran_in;
        auto fiber = coir::spawn([&] {
            const std::stop_callback callback{coir::this_fiber::stop_token(),
                                              [&] { ran_in.push_back(coir::this_fiber::id()); }};
            is_cancelled([] { coir::this_fiber::sleep_for(1h); });
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        fiber.request_stop();
        CHECK(ran_in == std::vector{coir::this_fiber::id()});
        fiber.join();
        CHECK_FALSE(is_cancelled(yield));  // the requester itself is not stopped
    });
}

TEST_CASE("cancellation: a stop callback may spawn and request other stops") {
    in_scheduler([] {
        bool spawned_ran = false;
        auto second = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        coir::fiber<void> spawned;
        auto first = coir::spawn([&] {
            const std::stop_callback callback{coir::this_fiber::stop_token(), [&] {
                                                  second.request_stop();
                                                  spawned = coir::spawn([&] { spawned_ran = true; });
                                              }};
            coir::this_fiber::sleep_for(1h);
        });
        coir::this_fiber::yield();
        first.request_stop();
        CHECK_THROWS_AS(first.get(), coir::fiber_stopped);
        CHECK_THROWS_AS(second.get(), coir::fiber_stopped);
        spawned.join();
        CHECK(spawned_ran);
    });
}

TEST_CASE("cancellation: suspending in a stop callback aborts") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            auto fiber = coir::spawn([] {
                const std::stop_callback callback{coir::this_fiber::stop_token(), yield};
                coir::this_fiber::sleep_for(1h);
            });
            coir::this_fiber::yield();
            fiber.request_stop();
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("a stop callback suspends"));
}

TEST_CASE("cancellation: a fiber that throws cancelled itself counts as stopped") {
    in_scheduler([] { CHECK_THROWS_AS(coir::spawn([] { throw coir::cancelled{}; }).get(), coir::fiber_stopped); });
}
