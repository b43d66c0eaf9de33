#include "cli/exit_codes.hpp"
#include "read/baseline.hpp"
#include "read/saved.hpp"
#include "render/json.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

using coir::test::a_sleep;
using coir::test::scratch_folder;
using detector::finding;
using detector::result;

namespace {

result sample() {
    result made;
    made.program = "server --fast";
    made.engine = "trap";
    made.notes = {"a note"};
    finding hog;
    hog.kind = coir::blocking_kind::hog;
    hog.category = coir::blocking_class::cpu;
    hog.goes_on = true;
    hog.suppressed_by = "class:cpu";
    made.findings = {a_sleep(), hog};
    return made;
}

/// The error message when this text is read as a JSON report.
std::string complaint_about(const std::string& text) {
    const scratch_folder folder;
    try {
        (void)detector::read_saved_findings(folder.with("f.json", text));
        return {};
    } catch (const detector::usage_error& wrong) {
        return wrong.what();
    }
}

}  // namespace

TEST_CASE("json: a written report is read back unchanged") {
    const scratch_folder folder;
    const result back = detector::read_saved_findings(folder.with("f", to_json(sample())));
    CHECK(back.program == "server --fast");
    CHECK(back.engine == "trap");
    CHECK(back.notes == sample().notes);
    REQUIRE(back.findings.size() == 2);
    CHECK(to_json(back) == to_json(sample()));
}

TEST_CASE("json: a finding has the keys that scripts rely on") {
    const auto all = nlohmann::json::parse(to_json(sample()));
    const auto& one = all.at("findings").at(0);
    CHECK(one.at("kind") == "blocked");
    CHECK(one.at("level") == "error");
    CHECK(one.at("class") == "sleep");
    CHECK(one.at("call") == "nanosleep");
    CHECK(one.at("location") ==
          nlohmann::json{{"file", "src/retry.cpp"}, {"line", 12}, {"function", "shop::retry(int)"}});
    CHECK(one.at("stack").at(0).at("module") == "/lib/libc.so.6");
    CHECK(all.at("findings").at(1).at("location").is_null());
}

TEST_CASE("json: the lines format has one line for each finding") {
    const std::string lines = to_json_lines(sample());
    CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
    CHECK(nlohmann::json::parse(lines.substr(0, lines.find('\n'))).at("count") == 3);
    CHECK(detector::to_json_lines({}).empty());
}

TEST_CASE("json: bytes that are not UTF-8 are handled") {
    result odd = sample();
    odd.findings[0].fiber = "caf\xe9";
    CHECK(nlohmann::json::parse(to_json(odd)).at("findings").size() == 2);
}

TEST_CASE("json: a file of another format is an error that names it") {
    CHECK(complaint_about("{\"version\": 1").find("f.json") != std::string::npos);
    CHECK(complaint_about("[1, 2]").find("f.json") != std::string::npos);
    CHECK(complaint_about(R"({"version": 1, "findings": []})").find("format version 1") != std::string::npos);
    std::string unknown_class = to_json(sample());
    unknown_class.replace(unknown_class.find("\"sleep\""), 7, "\"snore\"");
    CHECK(complaint_about(unknown_class).find("'snore' is not a class; the classes are") != std::string::npos);
}

TEST_CASE("json: the lines are read back, as is what COIR_BLOCKING_REPORT has written: the same lines") {
    const scratch_folder folder;
    const result back = detector::read_saved_findings(folder.with("f.jsonl", to_json_lines(sample())));
    REQUIRE(back.findings.size() == 2);
    CHECK(to_json_lines(back) == to_json_lines(sample()));
    CHECK(complaint_about(to_json_lines(sample()) + "{\n").find("f.json") != std::string::npos);
}

TEST_CASE("baseline: a finding with a source is known by its fingerprint") {
    const scratch_folder folder;
    result saved = sample();
    saved.findings = {a_sleep()};
    detector::baseline known{folder.with("a", to_baseline(saved))};
    CHECK(known.take(a_sleep()));
    finding moved = a_sleep();
    moved.stack[1].line += 100;
    CHECK(known.take(moved));
    finding added = a_sleep();
    added.fingerprint = "another statement";
    CHECK_FALSE(known.take(added));
}

TEST_CASE("baseline: a full report can be used as one") {
    const scratch_folder folder;
    detector::baseline known{folder.with("b", to_json(sample()))};
    CHECK(known.take(a_sleep()));
}

TEST_CASE("baseline: without a source, a function has as many known findings as the baseline has") {
    const scratch_folder folder;
    finding sourceless = a_sleep();
    sourceless.fingerprint = sourceless.coarse_fingerprint;
    result saved = sample();
    saved.findings = {sourceless, sourceless};
    detector::baseline known{folder.with("a", to_baseline(saved))};
    CHECK(known.take(sourceless));
    CHECK(known.take(sourceless));
    CHECK_FALSE(known.take(sourceless));
    detector::baseline of_another_machine{folder.with("a", to_baseline(saved))};
    CHECK(of_another_machine.take(a_sleep()));
}

TEST_CASE("baseline: one that cannot be used is an error that names the file") {
    const scratch_folder folder;
    CHECK_THROWS_AS(detector::baseline{folder.with("c", "{}")}, detector::usage_error);
    CHECK_THROWS_AS(detector::baseline{folder.with("d", R"({"version": 1, "findings": []})")}, detector::usage_error);
}
