#include "cli/version.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"
#include "render/location.hpp"
#include "render/render.hpp"
#include "render/rules.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace detector {

using namespace coir::detail;

namespace {

using nlohmann::ordered_json;

constexpr std::size_t results_max = 5000;  // GitHub shows no more of a run

ordered_json text(std::string_view words) { return {{"text", words}}; }

std::string percent_encoded(std::string_view path) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string made;
    for (const char each : path) {
        const auto byte = static_cast<unsigned char>(each);
        if (byte < 0x80 && (std::isalnum(byte) != 0 || std::string_view{"/-._~+"}.find(each) != std::string_view::npos))
            made += each;
        else
            made.append("%").append(1, digits[byte >> 4U]).append(1, digits[byte & 0xFU]);
    }
    return made;
}

/// A relative path is relative to the source folder, which the reader of the report knows.
ordered_json artifact(const std::string& file) {
    const std::filesystem::path path = std::filesystem::path{file}.lexically_normal();
    if (path.is_absolute()) return {{"uri", "file://" + percent_encoded(path.string())}};
    return {{"uri", percent_encoded(path.string())}, {"uriBaseId", "%SRCROOT%"}};
}

/// What `%SRCROOT%` stands for. A base must end with a slash.
ordered_json base(const std::string& folder) {
    return {{"uri", "file://" + percent_encoded(folder.ends_with('/') ? folder : folder + '/')},
            {"description", text("the folder that relative paths begin in")}};
}

ordered_json physical(const source_line& line) {
    return {{"artifactLocation", artifact(line.file)}, {"region", {{"startLine", line.line}}}};
}

ordered_json function_named(const std::string& name) {
    return ordered_json::array({{{"fullyQualifiedName", name}, {"kind", "function"}}});
}

ordered_json location_of(const frame& which) {
    ordered_json made = ordered_json::object();
    if (!which.file.empty()) made["physicalLocation"] = physical({which.file, std::max(which.line, 1)});
    made["logicalLocations"] = function_named(function_or_offset(which));
    made["message"] = text(to_string(which));
    return made;
}

/// The location of the result. Never empty: GitHub rejects the whole file if a result has no location.
ordered_json result_location(const finding& what, const result& in) {
    ordered_json made{{"physicalLocation", physical(some_line(what, in))}};
    if (const frame* users = users_frame(what)) made["logicalLocations"] = function_named(function_or_offset(*users));
    return made;
}

ordered_json stack_of(const finding& what) {
    ordered_json frames = ordered_json::array();
    for (const frame& each : what.stack) {
        ordered_json made{{"location", location_of(each)}};
        if (!each.module.empty()) made["module"] = each.module;
        frames.push_back(std::move(made));
    }
    return {{"message", text("stack of the fiber that held its thread, innermost first")},
            {"frames", std::move(frames)}};
}

/// The stack from the start of the fiber to the call, for viewers that do not show stacks, such as GitHub's.
ordered_json code_flow_of(const finding& what) {
    ordered_json steps = ordered_json::array();
    for (auto each = what.stack.rbegin(); each != what.stack.rend(); ++each) {
        if (!each->file.empty()) steps.push_back({{"location", location_of(*each)}});
    }
    if (steps.empty()) return steps;
    return ordered_json::array({{{"threadFlows", ordered_json::array({{{"locations", std::move(steps)}}})}}});
}

/// Present in every result, empty if not suppressed: for SARIF an absent property means "unknown".
ordered_json suppressions_of(const finding& what) {
    if (what.suppressed_by.empty()) return ordered_json::array();
    return ordered_json::array({{{"kind", "external"}, {"justification", what.suppressed_by}}});
}

ordered_json properties_of(const finding& what) {
    return {
        {"kind", coir::detail::to_string(what.kind)},
        {"class", coir::detail::to_string(what.category)},
        {"call", what.call},
        {"count", what.count},
        {"total_ms", what.total_ms},
        {"max_ms", what.max_ms},
        {"fiber", what.fiber},
        {"spawned_at", what.spawned_at},
        {"test_case", what.test_case},
        {"stacks", what.stacks},
    };
}

ordered_json result_of(const finding& what, const result& in) {
    const rule& broken = rule_for(what.category);
    ordered_json made{
        {"ruleId", broken.id},
        {"ruleIndex", index_of(broken)},
        {"level", to_string(what.level)},
        {"message", text(headline(what) + "; " + remedy(what) + '.')},
        {"locations", ordered_json::array({result_location(what, in)})},
        {"partialFingerprints", {{"blockingLocation/v2", what.fingerprint}}},
        {"suppressions", suppressions_of(what)},
        {"properties", properties_of(what)},
    };
    if (!what.stack.empty()) made["stacks"] = ordered_json::array({stack_of(what)});
    if (ordered_json flows = code_flow_of(what); !flows.empty()) made["codeFlows"] = std::move(flows);
    return made;
}

ordered_json descriptor_of(const rule& which) {
    std::string sentence{which.title};
    sentence.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
    return {
        {"id", which.id},
        {"name", which.name},
        {"shortDescription", text(sentence + '.')},
        {"fullDescription", text(std::string{which.meaning} + ' ' + std::string{which.harm})},
        {"help", {{"text", explain(which)}, {"markdown", explain_in_markdown(which)}}},
        {"defaultConfiguration", {{"level", "error"}}},
        {"properties", {{"tags", {"performance", "concurrency"}}}},
    };
}

ordered_json driver() {
    ordered_json rules = ordered_json::array();
    for (const rule& each : all_rules()) rules.push_back(descriptor_of(each));
    return {
        {"name", "blocking-detector"},       {"version", tool_version()},
        {"semanticVersion", tool_version()}, {"informationUri", "man:blocking-detector(1)"},
        {"rules", std::move(rules)},
    };
}

ordered_json invocation(const result& what) {
    ordered_json notifications = ordered_json::array();
    const auto notify = [&](const std::string& words) {
        notifications.push_back({{"level", "note"}, {"message", text(words)}});
    };
    for (const std::string& note : what.notes) notify(note);
    if (what.findings.size() > results_max)
        notify(std::to_string(what.findings.size() - results_max) + " findings are not in this report, which has " +
               std::to_string(results_max) + " at most");
    return {{"executionSuccessful", true}, {"toolExecutionNotifications", std::move(notifications)}};
}

}  // namespace

std::string to_sarif(const result& what, const std::string& source_folder) {
    ordered_json results = ordered_json::array();
    for (const finding& each : what.findings) {
        if (results.size() == results_max) break;
        results.push_back(result_of(each, what));
    }
    ordered_json run{
        {"tool", {{"driver", driver()}}},
        {"invocations", ordered_json::array({invocation(what)})},
        {"columnKind", "utf16CodeUnits"},
        {"results", std::move(results)},
        {"properties", {{"program", what.program}, {"engine", what.engine}}},
    };
    if (!source_folder.empty()) run["originalUriBaseIds"] = {{"%SRCROOT%", base(source_folder)}};
    const ordered_json log{
        {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
        {"version", "2.1.0"},
        {"runs", ordered_json::array({run})},
    };
    return log.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace detector
