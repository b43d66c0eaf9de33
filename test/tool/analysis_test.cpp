#include "detect/finding/finding_set.hpp"
#include "read/analysis.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::blocking_class;
using coir::blocking_kind;
using coir::blocking_level;
using coir::test::a_sleep;
using coir::test::scratch_folder;
using detector::analysis;
using detector::finding;
using detector::options;
using detector::result;
using namespace std::chrono_literals;

namespace {

result with(std::vector<finding> findings) {
    result made;
    made.engine = "trap";
    made.findings = std::move(findings);
    return made;
}

result analysed(const options& asked, std::vector<finding> findings) {
    analysis done{asked};
    done.seen().add(with(std::move(findings)));
    return done.finish();
}

bool fails(const options& asked, std::vector<finding> findings) {
    analysis done{asked};
    done.seen().add(with(std::move(findings)));
    (void)done.finish();
    return done.has_failed();
}

/// Like a_sleep, with another kind and location.
finding at_line(int line, blocking_kind kind = blocking_kind::blocked) {
    finding made = a_sleep();
    made.kind = kind;
    made.stack[1].line = line;
    made.fingerprint = "line " + std::to_string(line);
    made.coarse_fingerprint = "function";
    return made;
}

/// The same for a call that is an error only if it was asleep for long.
finding opened_at_line(int line, blocking_kind kind = blocking_kind::blocked) {
    finding made = at_line(line, kind);
    made.category = blocking_class::other;
    made.call = "open";
    return made;
}

}  // namespace

TEST_CASE("analysis: events at the same line are one finding") {
    finding longer = a_sleep();
    longer.count = 2;
    longer.total_ms = 100;
    longer.max_ms = 90;
    longer.fiber = "another";
    const result found = analysed({}, {a_sleep(), longer, at_line(99)});
    REQUIRE(found.findings.size() == 2);
    CHECK(found.findings[0].count == 5);
    CHECK(found.findings[0].total_ms == 160);
    CHECK(found.findings[0].max_ms == 90);
    CHECK(found.findings[0].fiber == "worker");
}

TEST_CASE("analysis: stacks that differ below the user's line are one finding, with the stack of the longest time") {
    finding deeper = at_line(1);
    deeper.stack.insert(deeper.stack.begin(), coir::test::library_function("clock_nanosleep"));
    ++deeper.location;
    deeper.max_ms = 1000;
    const result found = analysed({}, {at_line(1), deeper, at_line(1)});
    REQUIRE(found.findings.size() == 1);
    CHECK(found.findings[0].stacks == 2);
    CHECK(found.findings[0].stack[0].function == "clock_nanosleep");
    CHECK(found.findings[0].location == 2);
}

TEST_CASE("analysis: where a call blocked, the times that it did not do not count") {
    finding latent = at_line(1, blocking_kind::latent);
    latent.count = 100;
    for (const auto& both : {std::vector{at_line(1), latent}, std::vector{latent, at_line(1)}}) {
        const result found = analysed({}, both);
        REQUIRE(found.findings.size() == 1);
        CHECK(found.findings[0].kind == blocking_kind::blocked);
        CHECK(found.findings[0].count == 3);
        CHECK(found.findings[0].max_ms == 25);
    }
    CHECK(analysed({}, {at_line(1), at_line(2, blocking_kind::latent)}).findings.size() == 2);
}

TEST_CASE("analysis: findings are sorted by level, then by total time; suppressed ones are last") {
    const scratch_folder folder;
    options asked;
    asked.suppressions = {folder.with("rules", "fiber:known")};
    finding known = at_line(1);
    known.fiber = "known";
    known.total_ms = 1000;
    finding latent = opened_at_line(2, blocking_kind::latent);
    latent.total_ms = 999;
    finding longer = at_line(4);
    longer.total_ms = 500;
    const result found = analysed(asked, {known, latent, at_line(3), longer});
    REQUIRE(found.findings.size() == 4);
    CHECK(found.findings[0].fingerprint == "line 4");
    CHECK(found.findings[1].fingerprint == "line 3");
    CHECK(found.findings[2].fingerprint == "line 2");
    CHECK(found.findings[3].suppressed_by == "fiber:known");
}

TEST_CASE("analysis: a call that waits for somebody else is an error, however short it was, and if it did not sleep") {
    finding brief = at_line(1);
    brief.max_ms = brief.total_ms = 0.001;
    const result found = analysed({}, {brief, at_line(2, blocking_kind::latent)});
    CHECK(found.findings[0].level == blocking_level::error);
    CHECK(found.findings[1].level == blocking_level::error);
}

TEST_CASE("analysis: another call is an error if it slept for --min-duration, or for 1 % and 10 ms in total") {
    options asked;
    const auto level = [&](finding each) { return analysed(asked, {std::move(each)}).findings.front().level; };
    finding brief = opened_at_line(1);
    brief.max_ms = 0.9;
    brief.total_ms = 9;
    CHECK(level(brief) == blocking_level::warning);
    brief.total_ms = 11;
    CHECK(level(brief) == blocking_level::error);
    brief.fibers_ran_ms = 1000;
    CHECK(level(brief) == blocking_level::error);
    brief.fibers_ran_ms = 1200;
    CHECK(level(brief) == blocking_level::warning);
    CHECK(level(opened_at_line(1)) == blocking_level::error);
    CHECK(level(opened_at_line(1, blocking_kind::latent)) == blocking_level::warning);
    asked.min_duration = 30ms;
    finding once = opened_at_line(1);
    once.total_ms = 25;
    CHECK(level(once) == blocking_level::error);
    once.total_ms = once.max_ms = 9;
    CHECK(level(once) == blocking_level::warning);
    once.goes_on = true;
    once.max_ms = 0;
    CHECK(level(once) == blocking_level::error);
}

TEST_CASE("analysis: the time that fibers ran counts once for each run in which a finding was seen") {
    finding brief = opened_at_line(1);
    brief.max_ms = 0.9;
    brief.total_ms = 6;
    coir::detail::finding_set all;
    all.begin_run(600);
    all.add(brief);
    all.add(brief);
    CHECK(all.take().front().fibers_ran_ms == 600);
    all.begin_run(700);
    all.add(opened_at_line(2));
    all.begin_run(800);
    all.add(brief);
    CHECK(all.take().front().fibers_ran_ms == 1400);
}

TEST_CASE("analysis: a wait for another thread is an error if it slept at all") {
    finding wait = at_line(1);
    wait.category = blocking_class::lock;
    wait.call = "pthread_join";
    wait.max_ms = wait.total_ms = 0.01;
    CHECK(analysed({}, {wait}).findings.front().level == blocking_level::error);
    wait.kind = blocking_kind::latent;
    CHECK(analysed({}, {wait}).findings.front().level == blocking_level::warning);
}

TEST_CASE("analysis: --class selects classes") {
    options asked;
    asked.classes = detector::classes_in("disk,lock");
    CHECK(analysed(asked, {a_sleep()}).findings.empty());
    asked.classes = detector::classes_in("-disk");
    CHECK(analysed(asked, {a_sleep()}).findings.size() == 1);
}

TEST_CASE("analysis: --fail-on selects the lowest level that counts") {
    options asked;
    CHECK(fails(asked, {at_line(1)}));
    CHECK(fails(asked, {at_line(1, blocking_kind::hog)}));
    CHECK_FALSE(fails(asked, {opened_at_line(1, blocking_kind::latent)}));
    CHECK_FALSE(fails(asked, {}));
    asked.fail_on = blocking_level::warning;
    CHECK(fails(asked, {opened_at_line(1, blocking_kind::latent)}));
    CHECK(fails(asked, {at_line(1)}));
    asked.fail_on = std::nullopt;
    CHECK_FALSE(fails(asked, {at_line(1)}));
}

TEST_CASE(
    "analysis: suppressed findings and those in the baseline do not count, and a new baseline keeps the old entries") {
    const scratch_folder folder;
    options asked;
    asked.baseline = folder.with(
        "baseline", R"({"version": 2, "findings": [{"fingerprint": "line 1", "coarse_fingerprint": "f"}]})");
    CHECK_FALSE(fails(asked, {at_line(1)}));
    CHECK(fails(asked, {at_line(1), at_line(2)}));
    analysis done{asked};
    done.seen().add(with({at_line(1), at_line(2), opened_at_line(3, blocking_kind::latent)}));
    (void)done.finish();
    CHECK(done.for_baseline().findings.size() == 2);
}

TEST_CASE("analysis: source paths lose the prefix after suppressions have matched the full paths") {
    const scratch_folder folder;
    options asked;
    asked.strip_prefix = "/home/me/shop";
    asked.suppressions = {folder.with("rules", "src:^/home/me/*/main.cpp")};
    finding made = a_sleep();
    made.stack[2].file = "/home/me/shop/src/main.cpp";
    made.spawned_at = "/home/me/shop/src/main.cpp:3";
    const result found = analysed(asked, {made});
    CHECK(found.findings[0].stack[2].file == "src/main.cpp");
    CHECK(found.findings[0].spawned_at == "src/main.cpp:3");
    CHECK_FALSE(found.findings[0].suppressed_by.empty());
}

TEST_CASE("analysis: --max-findings limits the shown findings, reports it, and changes nothing else") {
    options asked;
    asked.max_findings = 0;
    const result found = analysed(asked, {at_line(1), at_line(2)});
    CHECK(found.findings.empty());
    CHECK(found.notes == std::vector<std::string>{"not reported: 2 more findings, because of --max-findings"});
    CHECK(fails(asked, {at_line(1)}));
}

TEST_CASE("analysis: of several engines, the least capable one is named") {
    const options asked;
    analysis done{asked};
    result hooked = with({});
    hooked.engine = "hooks";
    done.seen().add(with({}));
    done.seen().add(hooked);
    CHECK(done.finish().engine == "hooks");
}
