#include "cli/exit_codes.hpp"
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
        (void)detector::read_json(folder.with("f.json", text));
        return {};
    } catch (const detector::usage_error& wrong) {
        return wrong.what();
    }
}

}  // namespace

TEST_CASE("json: a written report is read back unchanged") {
    const scratch_folder folder;
    const result back = detector::read_json(folder.with("f", to_json(sample())));
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
    CHECK(complaint_about("").find("f.json") != std::string::npos);
    CHECK(complaint_about("{\"version\": 1").find("f.json") != std::string::npos);
    CHECK(complaint_about("[1, 2]").find("f.json") != std::string::npos);
    CHECK(complaint_about("{\"version\": 2}").find("version 2") != std::string::npos);
    std::string unknown_class = to_json(sample());
    unknown_class.replace(unknown_class.find("\"sleep\""), 7, "\"snore\"");
    CHECK(complaint_about(unknown_class).find("'snore' is not a class; the classes are") != std::string::npos);
}

TEST_CASE("json: a baseline contains each location once, and a full report can be used as one") {
    const scratch_folder folder;
    result twice = sample();
    twice.findings = {a_sleep(), a_sleep()};
    const std::string written = to_baseline(twice);
    CHECK(nlohmann::json::parse(written).at("findings").size() == 1);
    CHECK(detector::read_baseline(folder.with("a", written)) == std::set<std::string>{"0123abcd"});
    CHECK(detector::read_baseline(folder.with("b", to_json(twice))) == std::set<std::string>{"0123abcd"});
    CHECK_THROWS_AS(static_cast<void>(detector::read_baseline(folder.with("c", "{}"))), detector::usage_error);
}
