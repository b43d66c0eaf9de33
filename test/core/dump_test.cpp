#include <coir/dump.hpp>
#include <coir/fiber.hpp>
#include <coir/stats.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "support/death.hpp"
#include "support/escape.hpp"
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

namespace {

std::string dump_with_stacks() {
    std::ostringstream out;
    coir::dump_fibers(out, {.stacks = true});
    return out.str();
}

[[gnu::noinline]] void wait_deep_down(coir::event& event, int depth) {
    if (depth == 0)
        event.wait();
    else
        wait_deep_down(event, depth - 1);
    coir::test::escape(&depth);  // prevents a tail call
}

/// A frame that is addressed by a frame pointer.
[[gnu::noinline]] void wait_with_dynamic_frame(coir::event& event, std::size_t bytes) {
    coir::test::escape(__builtin_alloca(bytes));
    wait_deep_down(event, 0);
    coir::test::escape(&bytes);
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("dump: with stacks, shows each function in which a parked fiber stands, with its line") {
    in_scheduler([] {
        coir::event event;
        auto waits = coir::spawn({.name = "deep"}, [&] { wait_deep_down(event, 3); });
        auto dynamic = coir::spawn([&] { wait_with_dynamic_frame(event, 1000); });
        while (coir::stats().fibers_parked < 2) coir::this_fiber::yield();
        const std::string text = dump_with_stacks();
        INFO(text);
        const std::string of_first = text.substr(0, text.find("fiber #3"));
        CHECK(count(of_first, "wait_deep_down(coir::event&, int)") == 4);
        CHECK(count(text, "wait_with_dynamic_frame(coir::event&, unsigned long)") == 1);
        if (coir::detail::has_source_lines()) CHECK(count(of_first, "dump_test.cpp:") >= 5);
        CHECK(text.find("coir::event::wait") == text.npos);
        CHECK(text.find(" of 256 KiB\n") != text.npos);
        waits.request_stop();
        dynamic.request_stop();
    });
}

TEST_CASE("dump: with stacks, shows the stack of the calling fiber, and none of a fiber that has not run") {
    in_scheduler([] {
        auto spawned = coir::spawn({.name = "new"}, [] {});
        const std::string text = dump_with_stacks();
        INFO(text);
        CHECK(text.find("dump_with_stacks()") < text.find("fiber #2 \"new\": spawned"));
        CHECK(text.ends_with(" by #1\n"));
    });
}

TEST_CASE("dump: with stacks, fibers that stand at the same place and wait for the same have one entry") {
    in_scheduler([] {
        coir::event event;
        std::vector<coir::fiber<void>> all;
        for (int i = 0; i < 100; ++i) all.push_back(coir::spawn({.name = "same"}, [&] { wait_deep_down(event, 1); }));
        for (int i = 0; i < 50; ++i) all.push_back(coir::spawn([] { coir::this_fiber::sleep_for(1h); }));
        while (coir::stats().fibers_parked < 150) coir::this_fiber::yield();
        const std::string text = dump_with_stacks();
        INFO(text);
        CHECK(count(text, "wait_deep_down(coir::event&, int)") == 2);
        CHECK(text.find("  fibers #2 \"same\", #3 \"same\", #4 \"same\" and 97 more: parked on event") != text.npos);
        CHECK(text.find("  fibers #102, #103, #104 and 47 more: parked on sleep") != text.npos);
        for (auto& each : all) each.request_stop();
    });
}

TEST_CASE("dump: says by which fiber a fiber was spawned") {
    in_scheduler([] {
        auto parent = coir::spawn([] { coir::spawn([] { coir::this_fiber::sleep_for(1h); }).detach(); });
        parent.join();
        CHECK(dump().at(1).ends_with(" by #2"));
    });
}

TEST_CASE("dump: says how long a fiber has waited, from a second up") {
    in_scheduler(coir::test::virtual_time, [] {
        auto waits = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        coir::this_fiber::sleep_for(900ms);
        CHECK(dump().at(1).find(" for ") == std::string::npos);
        coir::this_fiber::sleep_for(75s);
        CHECK(dump().at(1).find("parked on sleep for 75.9 s, spawned at") != std::string::npos);
        waits.request_stop();
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
