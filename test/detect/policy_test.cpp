#include <coir/blocking.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/stats.hpp>
#include <coir/this_fiber.hpp>

#include "detect/reports.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/threads_called.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <string>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::blocking_policy;
using coir::test::burn;
using coir::test::reports;
using coir::test::variable;

namespace {

bool has_watchdog() { return coir::test::threads_called("coir-watchdog") > 0; }

}  // namespace

TEST_CASE("policy fail: blocking_call is thrown at the fiber's next suspension, once, after it was logged") {
    const coir::test::captured_log log;
    reports seen{{.policy = blocking_policy::fail}};
    std::string thrown;
    bool others_run = false;
    coir::run(seen.options(), [&] {
        auto culprit = coir::spawn({.name = "culprit"}, [&] {
            ::usleep(1000);
            try {
                coir::this_fiber::yield();
            } catch (const coir::blocking_call& what) {
                thrown = what.what();
                CHECK(log.count("\"culprit\"") == 1);
            }
            coir::this_fiber::yield();
        });
        auto other = coir::spawn([&] {
            coir::this_fiber::yield();
            others_run = true;
        });
        culprit.get();
        other.get();
    });
    CHECK(thrown.find("\"culprit\" held its thread") != std::string::npos);
    CHECK(thrown.find("nanosleep") != std::string::npos);
    CHECK(others_run);
    CHECK(seen.blocked("nanosleep").size() == 1);
}

TEST_CASE("policy fail: a hog fails as well, and get throws the exception if the fiber does not catch it") {
    const coir::test::captured_log log;
    reports seen{{.policy = blocking_policy::fail, .stall_threshold = 20ms}};
    coir::run(seen.options(), [] {
        auto hog = coir::spawn([] {
            burn(500ms);
            coir::this_fiber::yield();
        });
        CHECK_THROWS_AS(hog.get(), coir::blocking_call);
    });
}

TEST_CASE("policy fail: suppressed and permitted calls do not fail") {
    const coir::test::temporary_file rules{"function-name-matches:^usleep$\n"};
    const coir::test::captured_log log;
    reports seen{{.policy = blocking_policy::fail, .suppressions = rules.path()}};
    CHECK_NOTHROW(coir::run(seen.options(), [] {
        ::usleep(1000);
        coir::this_fiber::yield();
        const coir::allow_blocking permit{"a test"};
        std::this_thread::sleep_for(1ms);
        coir::this_fiber::yield();
    }));
    CHECK(seen.all().empty());
    CHECK(log.text().empty());
}

TEST_CASE("policy abort: a finding is logged and recorded, then the program ends") {
    const coir::test::temporary_file lines;
    const coir::test::ending child = coir::test::in_child([&] {
        const variable report{"COIR_BLOCKING_REPORT", lines.path()};
        coir::run(reports{{.policy = blocking_policy::abort}}.options(), [] {
            ::usleep(1000);
            coir::this_fiber::sleep_for(20s);
        });
    });
    INFO(child.output);
    CHECK(child.died());
    CHECK(child.says("asleep in nanosleep"));
    CHECK(lines.content().find("\"call\":\"nanosleep\"") != std::string::npos);
}

TEST_CASE("policy off: detection is off, and no thread is started") {
    const coir::test::captured_log log;
    reports seen{{.policy = blocking_policy::off}};
    coir::run(seen.options(), [] {
        CHECK_FALSE(coir::active_engine().on);
        CHECK_FALSE(has_watchdog());
        ::usleep(1000);
    });
    CHECK(seen.all().empty());
    CHECK(log.text().empty());
}

TEST_CASE("policy: the watchdog thread lives as long as a run") {
    CHECK_FALSE(has_watchdog());
    coir::run([] {
        for (int i = 0; i < 1000 && !has_watchdog(); ++i) coir::this_fiber::sleep_for(1ms);
        CHECK(has_watchdog());
    });
    CHECK_FALSE(has_watchdog());
}

TEST_CASE("policy: on_report is called on the thread of the run, and the listener also if it throws") {
    const coir::test::captured_log log;
    const std::thread::id here = std::this_thread::get_id();
    std::thread::id there;
    int heard = 0;
    coir::set_blocking_listener([&](const coir::blocking_report&) { ++heard; });
    coir::run_options options;
    options.blocking.on_report = [&](const coir::blocking_report&) {
        there = std::this_thread::get_id();
        throw std::runtime_error{"no more paper"};
    };
    coir::run(options, [] { ::usleep(1000); });
    coir::set_blocking_listener({});
    CHECK(there == here);
    CHECK(heard == 1);
    CHECK(log.count("on_report threw an exception: no more paper") == 1);
}

TEST_CASE("policy: a run inside on_report, after the last fiber, is not watched") {
    const coir::test::captured_log log;
    coir::run_options options;
    int calls = 0;
    options.seed = 7;  // so that it is called at the end
    options.blocking.on_report = [&](const coir::blocking_report&) {
        ++calls;
        coir::run(options, [] { ::usleep(1000); });
    };
    coir::run(options, [] { ::usleep(1000); });
    CHECK(calls == 1);
}

TEST_CASE("policy: on_report is called while the run goes on, and again at its end if the numbers have changed") {
    const coir::test::captured_log log;
    std::vector<coir::blocking_report> seen;
    coir::run_options options;
    options.blocking.on_report = [&](const coir::blocking_report& what) {
        ::usleep(1000);  // not watched
        seen.push_back(what);
    };
    std::size_t seen_in_run = 0;
    coir::run(options, [&] {
        for (int i = 0; i < 3; ++i) {
            ::usleep(1000);
            for (int tries = 0; seen.empty() && tries < 10'000; ++tries) coir::this_fiber::sleep_for(1ms);
        }
        seen_in_run = seen.size();
    });
    CHECK(seen_in_run == 1);
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].count == 1);
    CHECK(seen[1].count == 3);
    CHECK(seen[1].id == seen[0].id);
}

TEST_CASE("policy: in a run with a seed, on_report is called at its end, so that it does not change the order") {
    const coir::test::captured_log log;
    int calls = 0;
    coir::run_options options;
    options.seed = 7;
    options.blocking.on_report = [&](const coir::blocking_report&) { ++calls; };
    coir::run(options, [&] {
        ::usleep(1000);
        for (int i = 0; i < 50; ++i) coir::this_fiber::sleep_for(1ms);
        CHECK(calls == 0);
    });
    CHECK(calls == 1);
}

TEST_CASE("policy: a listener hears of the reports of every run until it is replaced, beside on_report") {
    const coir::test::captured_log log;
    std::vector<std::string> heard;
    coir::set_blocking_listener([&](const coir::blocking_report& what) { heard.push_back(what.text); });
    reports seen{{}};
    coir::run(seen.options(), [] { ::usleep(1000); });
    coir::run([] { ::usleep(1000); });
    coir::set_blocking_listener({});
    coir::run([] { ::usleep(1000); });
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].find("held its thread for ") != std::string::npos);
    CHECK(heard[0].find("; use coir::this_fiber::sleep_for") != std::string::npos);
    CHECK(heard[0].find('\n') == std::string::npos);
    CHECK(seen.all().size() == 1);
}

TEST_CASE("policy: stats counts the calls that slept and their time, by class") {
    const coir::test::captured_log log;
    coir::run([] {
        for (int i = 0; i < 3; ++i) ::usleep(1000);
        const coir::scheduler_stats now = coir::stats();
        CHECK(now.blocked(coir::blocking_class::sleep).count == 3);
        CHECK(now.blocked(coir::blocking_class::sleep).total >= 3ms);
        CHECK(now.blocked(coir::blocking_class::disk) == coir::blocked_time{});
    });
}

TEST_CASE("policy: a finding names the test case in which its location was found first") {
    const coir::test::captured_log log;
    reports seen;
    coir::set_blocking_test_case("first");
    coir::run(seen.options(), [] {
        for (const std::string name : {"first", "second"}) {
            coir::set_blocking_test_case(name);
            ::usleep(1000);
        }
        coir::set_blocking_test_case(std::string(200, 'x'));
        ::poll(nullptr, 0, 1);
        coir::set_blocking_test_case({});
    });
    REQUIRE(seen.blocked("nanosleep").size() == 1);
    CHECK(seen.blocked("nanosleep").front().test_case == "first");
    CHECK(seen.blocked("poll").front().test_case == std::string(127, 'x'));
    CHECK(log.count("in test case first") == 1);
    coir::run(seen.options(), [] { ::usleep(1000); });
    REQUIRE(seen.blocked("nanosleep").size() == 2);
    CHECK(seen.blocked("nanosleep").back().test_case.empty());
}

TEST_CASE("policy: classes that are not selected are not reported") {
    const coir::test::captured_log log;
    reports seen{{.stall_threshold = 20ms, .classes = {coir::blocking_class::poll}}};
    coir::run(seen.options(), [] {
        ::usleep(1000);
        burn(300ms);
    });
    CHECK(seen.all().empty());
}

TEST_CASE("environment: COIR_BLOCKING=off overrides the program") {
    const variable off{"COIR_BLOCKING", "off"};
    const coir::test::captured_log log;
    reports seen{{.policy = blocking_policy::abort}};
    coir::run(seen.options(), [] { ::usleep(1000); });
    CHECK(seen.all().empty());
    CHECK(log.text().empty());
}

TEST_CASE("environment: overrides the engine, the threshold and the classes of the program") {
    const coir::test::captured_log log;
    {
        const variable engine{"COIR_BLOCKING_ENGINE", "watch"};
        coir::run([] { CHECK(coir::active_engine().engine == coir::blocking_engine::watch); });
    }
    {
        const variable classes{"COIR_BLOCKING_CLASSES", "-sleep,-cpu"};
        reports seen;
        coir::run(seen.options(), [] { ::usleep(1000); });
        CHECK(seen.all().empty());
    }
    {
        const variable threshold{"COIR_BLOCKING_STALL_MS", "20"};
        reports seen{{.stall_threshold = 1h}};
        coir::run(seen.options(), [] { burn(400ms); });
        CHECK(seen.hogs().size() == 1);
    }
}

TEST_CASE("environment: a malformed variable is an error that names it and the permitted values") {
    const auto error_of = [](const char* name, const char* value) -> std::string {
        const variable malformed{name, value};
        try {
            coir::run([] {});
        } catch (const std::invalid_argument& what) {
            return what.what();
        }
        return "none";
    };
    CHECK(error_of("COIR_BLOCKING", "loud") == "COIR_BLOCKING: invalid value 'loud'; allowed: off, warn, fail, abort");
    CHECK(error_of("COIR_BLOCKING_ENGINE", "steam") ==
          "COIR_BLOCKING_ENGINE: invalid value 'steam'; allowed: automatic, watch, hooks, trap");
    CHECK(error_of("COIR_BLOCKING_STALL_MS", "soon")
              .starts_with("COIR_BLOCKING_STALL_MS: invalid value 'soon'; allowed: a number"));
    CHECK(error_of("COIR_BLOCKING_STALL_MS", "0").starts_with("COIR_BLOCKING_STALL_MS: invalid value '0'"));
    CHECK(error_of("COIR_BLOCKING_CLASSES", "sleep,naps")
              .starts_with("COIR_BLOCKING_CLASSES: invalid value 'sleep,naps'"));
    CHECK(error_of("COIR_BLOCKING_CLASSES", "sleep,-poll")
              .starts_with("COIR_BLOCKING_CLASSES: invalid value 'sleep,-poll'"));
    CHECK(error_of("COIR_BLOCKING", "") == "none");
}

TEST_CASE("environment: the error for a file that cannot be opened names the file") {
    {
        const variable path{"COIR_BLOCKING_REPORT", "/nowhere/at/all"};
        CHECK_THROWS_WITH_AS(coir::run([] {}), "COIR_BLOCKING_REPORT: /nowhere/at/all: No such file or directory",
                             std::system_error);
    }
    const variable path{"COIR_BLOCKING_SUPPRESSIONS", "/nowhere/at/all"};
    CHECK_THROWS_AS(coir::run([] {}), std::system_error);
}

TEST_CASE("environment: COIR_BLOCKING_REPORT gets one line of JSON for each report") {
    const coir::test::temporary_file lines;
    const variable path{"COIR_BLOCKING_REPORT", lines.path()};
    const coir::test::captured_log log;
    for (int i = 0; i < 2; ++i) {
        coir::run([] { coir::spawn({.name = "a \"name\""}, [] { ::usleep(1000); }).get(); });
    }
    const std::string text = lines.content();
    CHECK(std::ranges::count(text, '\n') == 2);
    const std::string line = text.substr(0, text.find('\n'));
    CHECK(line.starts_with("{\"version\":2,\"kind\":\"blocked\",\"level\":\"error\","));
    CHECK(line.find("\"class\":\"sleep\",\"call\":\"nanosleep\",\"count\":1,") != std::string::npos);
    CHECK(line.find("\"fiber\":\"a \\\"name\\\"\"") != std::string::npos);
    CHECK(line.find("\"stack\":[{\"function\":\"") != std::string::npos);
    CHECK(line.ends_with("\"suppressed_by\":\"\"}"));
}

TEST_CASE(
    "environment: a line of COIR_BLOCKING_REPORT is UTF-8 and the log has no control characters, whatever the names") {
    const coir::test::temporary_file lines;
    const variable path{"COIR_BLOCKING_REPORT", lines.path()};
    const coir::test::captured_log log;
    coir::run([] { coir::spawn({.name = "caf\xe9\x1b[2J\n::error::x"}, [] { ::usleep(1000); }).get(); });
    CHECK(lines.content().find("caf\xEF\xBF\xBD\\\\x1b[2J\\\\x0a::error::x") != std::string::npos);
    CHECK(log.count("caf\xEF\xBF\xBD\\x1b[2J\\x0a::error::x") == 1);
    CHECK(log.text().find('\x1b') == std::string::npos);
}
