#include "detect/calls/classes.hpp"
#include "detect/finding/wording.hpp"
#include "render/markup.hpp"
#include "render/render.hpp"
#include "render/rules.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace detector {

using namespace coir::detail;

namespace {

enum class outcome { failed, passed, skipped };

/// An error is a test case that failed, a warning or a note one that passed.
outcome outcome_of(const finding& what) noexcept {
    if (!what.suppressed_by.empty()) return outcome::skipped;
    return what.level == coir::blocking_level::error ? outcome::failed : outcome::passed;
}

std::string seconds(double milliseconds) {
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%.3f", milliseconds / 1000);
    return text.data();
}

std::string attribute(std::string_view name, std::string_view value) {
    return ' ' + std::string{name} + "=\"" + escaped(value) + '"';
}

/// A name that distinguishes the finding from the others. Viewers merge test cases with the same name.
std::string case_name(const finding& what) {
    std::string name = what.call.empty() ? "computation" : what.call;
    if (const frame* users = users_frame(what)) name += " in " + short_name(function_or_offset(*users));
    if (const auto line = nearest_line(what)) name += " at " + to_string(*line);
    return name;
}

std::string body(const finding& what) {
    const std::string message = headline(what) + "; " + remedy(what);
    const std::string stack = message + "\nspawned at " + what.spawned_at + '\n' +
                              (what.test_case.empty() ? "" : "in test case " + what.test_case + '\n') +
                              stack_text(what);
    switch (outcome_of(what)) {
    case outcome::skipped:
        return "      <skipped" + attribute("message", "suppressed by " + what.suppressed_by) + "/>\n";
    case outcome::passed: return "      <system-out>" + escaped(stack) + "</system-out>\n";
    case outcome::failed: break;
    }
    return "      <failure" + attribute("type", rule_for(what.category).id) + attribute("message", message) + '>' +
           escaped(stack) + "</failure>\n";
}

std::string test_case(const finding& what) {
    return "    <testcase" + attribute("name", case_name(what)) +
           attribute("classname", "blocking." + std::string{rule_for(what.category).name}) +
           attribute("time", seconds(what.total_ms)) + ">\n" + body(what) + "    </testcase>\n";
}

/// The only test case without findings. It is skipped, and has not passed, if no run of coir was recorded.
std::string nothing_found(const result& what) {
    const std::string head = "    <testcase name=\"no fiber holds its thread\" classname=\"blocking\" time=\"0.000\"";
    if (!what.engine.empty()) return head + "/>\n";
    return head + ">\n      <skipped message=\"no run of coir was recorded\"/>\n    </testcase>\n";
}

/// The attributes with the totals that the element of all suites and that of the only suite have in common.
std::string totals(const result& what) {
    double total_ms = 0;
    for (const finding& each : what.findings) total_ms += each.total_ms;
    return attribute("tests", std::to_string(std::max<std::size_t>(what.findings.size(), 1))) +
           attribute("failures", std::to_string(std::ranges::count(what.findings, outcome::failed, outcome_of))) +
           attribute("errors", "0") + attribute("time", seconds(total_ms));
}

std::string skipped(const result& what) {
    const bool nobody_looked = what.findings.empty() && what.engine.empty();
    const auto number = std::ranges::count(what.findings, outcome::skipped, outcome_of) + (nobody_looked ? 1 : 0);
    return attribute("skipped", std::to_string(number));
}

}  // namespace

// Only elements and attributes of the schema with which Jenkins' xUnit plugin validates (junit-10.xsd): a test case has no
// `file` and no `line`, and the element of all suites has no `skipped`.
std::string to_junit(const result& what) {
    std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    text += "<testsuites" + attribute("name", "blocking-detector") + totals(what) + ">\n";
    text +=
        "  <testsuite" + attribute("name", "blocking-detector: " + what.program) + totals(what) + skipped(what) + ">\n";
    if (what.findings.empty()) text += nothing_found(what);
    for (const finding& each : what.findings) text += test_case(each);
    if (!what.notes.empty()) {
        text += "    <system-out>";
        for (const std::string& note : what.notes) text += escaped(note) + '\n';
        text += "</system-out>\n";
    }
    return text + "  </testsuite>\n</testsuites>\n";
}

}  // namespace detector
