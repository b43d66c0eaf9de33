#include <coir/dump.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::test::in_scheduler;

namespace {

std::vector<std::string> dump() {
    std::ostringstream out;
    coir::dump_fibers(out);
    std::istringstream lines{out.str()};
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    return all;
}

bool begins(const std::string& line, const std::string& with) { return line.rfind(with, 0) == 0; }

}  // namespace

TEST_CASE("dump: has one line per fiber, in the order of spawning, with its state and what it waits for") {
    in_scheduler([] {
        auto sleeps = coir::spawn({.name = "sleeper"}, [] { coir::this_fiber::sleep_for(1h); });
        auto joins = coir::spawn({.name = "joiner"}, [&] { sleeps.join(); });
        coir::this_fiber::yield();
        auto ready = coir::spawn([] {
            for (;;) coir::this_fiber::yield();
        });
        coir::this_fiber::yield();
        auto spawned = coir::spawn({.name = "new"}, [] {});
        const auto lines = dump();
        REQUIRE(lines.size() == 5);
        CHECK(begins(lines[0], "  fiber #1 \"main\": running"));
        CHECK(begins(lines[1], "  fiber #2 \"sleeper\": parked on sleep, spawned at "));
        CHECK(begins(lines[2], "  fiber #3 \"joiner\": parked on the end of a fiber (#2 \"sleeper\"), spawned at "));
        CHECK(begins(lines[3], "  fiber #4: ready, spawned at "));
        CHECK(begins(lines[4], "  fiber #5 \"new\": spawned, spawned at "));
    });
}

TEST_CASE("dump: marks the calling fiber as running, and stopped fibers as stopping") {
    in_scheduler([] {
        auto asks = coir::spawn({.name = "asker"}, [] { return dump(); });
        auto stops = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        stops.request_stop();
        const auto lines = asks.get();
        REQUIRE(lines.size() == 3);
        CHECK(begins(lines[0], "  fiber #1 \"main\": parked on the end of a fiber"));
        CHECK(begins(lines[1], "  fiber #2 \"asker\": running"));
        CHECK(begins(lines[2], "  fiber #3: spawned, stop requested"));
    });
}

TEST_CASE("dump: does not contain ended fibers") {
    in_scheduler([] {
        auto ended = coir::spawn([] {});
        coir::this_fiber::yield();
        CHECK(dump().size() == 1);
    });
}

TEST_CASE("dump: names the line of the spawn, if debug information is available and coir can read it") {
    in_scheduler([] {
        auto fiber = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        const std::string expected = "dump_test.cpp:" + std::to_string(__LINE__ - 1);
        const auto line = dump().at(1);
        INFO(line);
        const bool found = line.find(coir::detail::has_source_lines() ? expected : "spawned at ") != std::string::npos;
        CHECK(found);
    });
}

TEST_CASE("dump: a test case that hangs prints its name and the state of each fiber, and ends") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            auto fiber = coir::spawn({.name = "culprit"}, [] { coir::this_fiber::sleep_for(1h); });
            coir::this_fiber::yield();
            std::raise(SIGALRM);  // like the alarm of main.cpp
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("this test case hangs: dump: a test case that hangs"));
    CHECK(how.says("fiber #2 \"culprit\": parked on sleep"));
}
