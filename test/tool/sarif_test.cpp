#include "render/render.hpp"
#include "render/rules.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace coir::test;
using namespace detector;
using nlohmann::json;

namespace {

json run_of(const result& what) {
    const json log = json::parse(to_sarif(what));
    CHECK(log.at("version") == "2.1.0");
    CHECK(log.at("$schema").get<std::string>().ends_with("sarif-2.1.0.json"));
    REQUIRE(log.at("runs").size() == 1);
    return log.at("runs")[0];
}

json result_of_one(const finding& what) {
    const json results = run_of(result_of({what})).at("results");
    REQUIRE(results.size() == 1);
    return results[0];
}

json artifact_of(const std::string& file) {
    finding what = a_sleep();
    what.stack[1].file = file;
    return result_of_one(what).at("locations")[0].at("physicalLocation").at("artifactLocation");
}

}  // namespace

TEST_CASE("sarif: the tool section contains all rules, each with help") {
    const json driver = run_of(result_of({})).at("tool").at("driver");
    CHECK(driver.at("name") == "blocking-detector");
    CHECK_FALSE(driver.at("version").get<std::string>().empty());
    CHECK(driver.at("informationUri") == "man:blocking-detector(1)");
    REQUIRE(driver.at("rules").size() == all_rules().size());
    for (const json& rule : driver.at("rules")) {
        CHECK(rule.at("id").get<std::string>().starts_with("BD0"));
        CHECK(rule.at("shortDescription").at("text").get<std::string>().ends_with("."));
        CHECK(rule.at("fullDescription").contains("text"));
        CHECK(contains(rule.at("help").at("text").get<std::string>(), "coir::"));
        CHECK(contains(rule.at("help").at("markdown").get<std::string>(), "```cpp"));
        CHECK(rule.at("defaultConfiguration").at("level") == "error");
    }
}

TEST_CASE("sarif: a program that never blocks has a run without results") {
    CHECK(run_of(result_of({})).at("results") == json::array());
}

TEST_CASE("sarif: a result refers to its rule by id and by index") {
    const json run = run_of(result_of({a_hog(), a_sleep()}));
    for (const json& each : run.at("results")) {
        const auto index = each.at("ruleIndex").get<std::size_t>();
        CHECK(run.at("tool").at("driver").at("rules")[index].at("id") == each.at("ruleId"));
    }
    CHECK(run.at("results")[0].at("ruleId") == "BD009");
    CHECK(run.at("results")[1].at("ruleId") == "BD001");
}

TEST_CASE("sarif: a finding has its level") {
    CHECK(result_of_one(a_sleep()).at("level") == "error");
    CHECK(result_of_one(a_hog()).at("level") == "error");
    CHECK(result_of_one(a_latent_open()).at("level") == "warning");
}

TEST_CASE("sarif: the message contains the headline and the remedy") {
    CHECK(result_of_one(a_sleep()).at("message").at("text") ==
          "fiber \"worker\" held its thread 3 times for 60 ms, 25 ms at most, asleep in nanosleep (sleep); "
          "use coir::this_fiber::sleep_for.");
}

TEST_CASE("sarif: the location is the user's line") {
    const json place = result_of_one(a_sleep()).at("locations")[0];
    CHECK(place.at("physicalLocation").at("artifactLocation").at("uri") == "src/retry.cpp");
    CHECK(place.at("physicalLocation").at("region").at("startLine") == 12);
    CHECK(place.at("logicalLocations")[0].at("fullyQualifiedName") == "shop::retry(int)");
}

TEST_CASE("sarif: a path below the root of the sources is relative") {
    CHECK(artifact_of("src/a.cpp") == json{{"uri", "src/a.cpp"}, {"uriBaseId", "%SRCROOT%"}});
    CHECK(artifact_of("./src/x/../a.cpp").at("uri") == "src/a.cpp");
}

TEST_CASE("sarif: the file says where relative paths begin, if it is known") {
    const json log = json::parse(to_sarif(result_of({a_sleep()}), "/home/a user/shop"));
    const json base = log.at("runs")[0].at("originalUriBaseIds").at("%SRCROOT%");
    CHECK(base.at("uri") == "file:///home/a%20user/shop/");
    CHECK_FALSE(run_of(result_of({a_sleep()})).contains("originalUriBaseIds"));
}

TEST_CASE("sarif: a path outside of the sources has an absolute URI") {
    CHECK(artifact_of("/opt/vendor/a.cpp") == json{{"uri", "file:///opt/vendor/a.cpp"}});
}

TEST_CASE("sarif: characters that a URI must not contain are percent-encoded") {
    CHECK(artifact_of("src/my file#1?.cpp").at("uri") == "src/my%20file%231%3F.cpp");
    CHECK(artifact_of("src/100%:\xC3\xA4.cpp").at("uri") == "src/100%25%3A%C3%A4.cpp");
}

TEST_CASE("sarif: a finding without a location still has one in the file, as GitHub requires it") {
    const json one = result_of_one(one_without_place());
    const json place = one.at("locations")[0].at("physicalLocation");
    CHECK(place.at("artifactLocation").at("uri") == "server");
    CHECK(place.at("region").at("startLine") == 1);
    CHECK_FALSE(one.contains("stacks"));
    CHECK_FALSE(one.contains("codeFlows"));
}

TEST_CASE("sarif: the stack is complete, innermost frame first, with full names") {
    finding what = a_sleep();
    what.stack[1].function = "shop::retry<" + std::string(5000, 'x') + ">(int)";
    const json frames = result_of_one(what).at("stacks")[0].at("frames");
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].at("location").at("logicalLocations")[0].at("fullyQualifiedName") == "nanosleep");
    CHECK(frames[0].at("module") == "/lib/libc.so.6");
    CHECK_FALSE(frames[0].at("location").contains("physicalLocation"));
    CHECK(frames[1].at("location").at("logicalLocations")[0].at("fullyQualifiedName") == what.stack[1].function);
    CHECK(frames[2].at("location").at("physicalLocation").at("region").at("startLine") == 31);
}

TEST_CASE("sarif: the code flow leads from the start of the fiber to the user's line") {
    const json steps = result_of_one(a_sleep()).at("codeFlows")[0].at("threadFlows")[0].at("locations");
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].at("location").at("physicalLocation").at("artifactLocation").at("uri") == "src/main.cpp");
    CHECK(steps[1].at("location").at("physicalLocation").at("artifactLocation").at("uri") == "src/retry.cpp");
}

TEST_CASE("sarif: the fingerprint is included") {
    CHECK(result_of_one(a_sleep()).at("partialFingerprints") == json{{"blockingLocation/v2", "0123abcd"}});
}

TEST_CASE("sarif: a suppressed finding is included, and names the suppression") {
    CHECK(result_of_one(a_suppressed_sleep()).at("suppressions") ==
          json::parse(R"([{"kind": "external", "justification": "class:sleep && fiber:work*"}])"));
    CHECK(result_of_one(a_sleep()).at("suppressions") == json::array());
}

TEST_CASE("sarif: at most 5,000 results are included, the first ones, and a note about the others") {
    std::vector<finding> many(5002, a_sleep());
    many.front().fingerprint = "first";
    const json run = run_of(result_of(many));
    CHECK(run.at("results").size() == 5000);
    CHECK(run.at("results")[0].at("partialFingerprints").at("blockingLocation/v2") == "first");
    CHECK(contains(
        run.at("invocations")[0].at("toolExecutionNotifications")[0].at("message").at("text").get<std::string>(),
        "2 findings"));
}

TEST_CASE("sarif: notes are notifications") {
    result what = result_of({});
    what.notes = {"the trap engine is missing"};
    const json invocation = run_of(what).at("invocations")[0];
    CHECK(invocation.at("executionSuccessful") == true);
    CHECK(invocation.at("toolExecutionNotifications")[0].at("message").at("text") == "the trap engine is missing");
}

TEST_CASE("sarif: invalid UTF-8 does not break the file") {
    finding what = a_sleep();
    what.fiber = "\xFF\xFE";
    CHECK(contains(result_of_one(what).at("message").at("text").get<std::string>(), "\xEF\xBF\xBD"));
}
