#include "read/analysis.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::blocking_class;
using coir::blocking_kind;
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
    return made;
}

}  // namespace

TEST_CASE("analysis: events with the same stack are one finding") {
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

TEST_CASE("analysis: a location is the same whether its source path was stripped or not") {
    finding whole = a_sleep();
    whole.stack[1].file = "/home/me/shop/" + whole.stack[1].file;
    CHECK(analysed({}, {a_sleep(), whole}).findings.size() == 1);
}

TEST_CASE("analysis: a latent call is left out if the same location also blocked") {
    CHECK(analysed({}, {at_line(1), at_line(1, blocking_kind::latent)}).findings.size() == 1);
    CHECK(analysed({}, {at_line(1), at_line(2, blocking_kind::latent)}).findings.size() == 2);
}

TEST_CASE("analysis: findings are sorted by total time, then latent ones, then suppressed ones") {
    const scratch_folder folder;
    options asked;
    asked.suppressions = {folder.with("rules", "fiber:known")};
    finding known = at_line(1);
    known.fiber = "known";
    known.total_ms = 1000;
    finding latent = at_line(2, blocking_kind::latent);
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

TEST_CASE("analysis: --min-duration uses the longest duration, and keeps latent calls and those that did not return") {
    options asked;
    asked.min_duration = 30ms;
    finding unknown = at_line(2);
    unknown.goes_on = true;
    unknown.max_ms = 0;
    finding latent = at_line(3, blocking_kind::latent);
    latent.max_ms = 0;
    const result found = analysed(asked, {at_line(1), unknown, latent});
    CHECK(found.findings.size() == 2);
    CHECK(found.notes ==
          std::vector<std::string>{"not reported: 1 location that held the thread for less than --min-duration"});
}

TEST_CASE("analysis: --class selects classes") {
    options asked;
    asked.classes = detector::classes_in("disk,lock");
    CHECK(analysed(asked, {a_sleep()}).findings.empty());
    asked.classes = detector::classes_in("-disk");
    CHECK(analysed(asked, {a_sleep()}).findings.size() == 1);
}

TEST_CASE("analysis: --fail-on selects the kinds that count") {
    options asked;
    CHECK(fails(asked, {at_line(1)}));
    CHECK(fails(asked, {at_line(1, blocking_kind::hog)}));
    CHECK_FALSE(fails(asked, {at_line(1, blocking_kind::latent)}));
    CHECK_FALSE(fails(asked, {}));
    asked.fail_on = {.blocked = false, .hog = false, .latent = true};
    CHECK_FALSE(fails(asked, {at_line(1)}));
    CHECK(fails(asked, {at_line(1, blocking_kind::latent)}));
}

TEST_CASE(
    "analysis: suppressed findings and those in the baseline do not count, and a new baseline keeps the old entries") {
    const scratch_folder folder;
    options asked;
    asked.baseline = folder.with("baseline", R"({"version": 1, "findings": [{"fingerprint": "line 1"}]})");
    CHECK_FALSE(fails(asked, {at_line(1)}));
    CHECK(fails(asked, {at_line(1), at_line(2)}));
    analysis done{asked};
    done.seen().add(with({at_line(1), at_line(2), at_line(3, blocking_kind::latent)}));
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
