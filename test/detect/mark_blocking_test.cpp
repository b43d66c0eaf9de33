#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/mark_blocking.hpp>
#include <coir/this_fiber.hpp>

#include "detect/reports.hpp"
#include "support/captured_log.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::blocking_engine;
using coir::blocking_kind;
using coir::test::reports;

namespace {

[[gnu::noinline]] void query(std::chrono::microseconds length) {
    const coir::mark_blocking blocks{"query"};
    if (length > 0us) ::usleep(static_cast<useconds_t>(length.count()));
}

[[gnu::noinline]] void outer_query() {
    const coir::mark_blocking blocks{"outer_query"};
    query(0us);
}

bool has_frame_of(const coir::blocking_report& what, const std::string& function) {
    return std::ranges::any_of(
        what.stack, [&](const coir::stack_frame& each) { return each.function.find(function) != each.function.npos; });
}

}  // namespace

TEST_CASE("mark_blocking: a call in a fiber is an error of the class other, and its own calls are not reported") {
    for (const auto engine : {blocking_engine::watch, blocking_engine::hooks, blocking_engine::trap}) {
        const coir::test::captured_log log;
        reports seen{{.engine = engine, .stall_threshold = 1h}};
        coir::run(seen.options(), [] { query(1000us); });
        REQUIRE(seen.all().size() == 1);
        const coir::blocking_report& what = seen.all().front();
        CHECK(what.call == "query");
        CHECK(what.kind == blocking_kind::blocked);
        CHECK(what.level == coir::blocking_level::error);
        CHECK(what.category == coir::blocking_class::other);
        CHECK(what.held >= 1ms);
        CHECK(what.text.find("asleep in query (other); use coir::offload") != what.text.npos);
        CHECK_FALSE(has_frame_of(what, "::query("));
    }
}

TEST_CASE("mark_blocking: two locations that call the function are two findings, also if it does not sleep") {
    const coir::test::captured_log log;
    reports seen;
    coir::run(seen.options(), [] {
        query(0us);
        query(0us);
    });
    REQUIRE(seen.all().size() == 2);
    CHECK(seen.all()[0].kind == blocking_kind::latent);
    CHECK(seen.all()[0].level == coir::blocking_level::error);
}

TEST_CASE("mark_blocking: has no effect with a permit, in a marked function, and after a suspension") {
    const coir::test::captured_log log;
    reports seen;
    query(0us);
    coir::run(seen.options(), [] {
        {
            const coir::allow_blocking permit{"a test"};
            query(1000us);
        }
        const coir::mark_blocking blocks{"suspends"};
        coir::this_fiber::yield();
    });
    CHECK(seen.all().empty());
    coir::run(seen.options(), [] { outer_query(); });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.all().front().call == "outer_query");
}
