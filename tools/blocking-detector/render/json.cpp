#include "render/json.hpp"

#include "base/read_file.hpp"
#include "cli/exit_codes.hpp"
#include "cli/version.hpp"
#include "detect/calls/classes.hpp"
#include "render/phrases.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <system_error>

namespace detector {

namespace {

using json = nlohmann::ordered_json;

constexpr int format_version = 1;

json location_of(const finding& what) {
    const frame* const user = users_frame(what);
    if (user == nullptr) return nullptr;
    return {{"file", user->file}, {"line", user->line}, {"function", user->function}};
}

json to_object(const frame& each) {
    json object{{"function", each.function},
                {"file", each.file},
                {"line", each.line},
                {"module", each.module},
                {"offset", each.offset}};
    if (each.plumbing) object["plumbing"] = true;
    return object;
}

json to_object(const finding& each) {
    json stack = json::array();
    for (const frame& here : each.stack) stack.push_back(to_object(here));
    return {{"kind", coir::detail::to_string(each.kind)},
            {"class", coir::detail::to_string(each.category)},
            {"call", each.call},
            {"count", each.count},
            {"total_ms", each.total_ms},
            {"max_ms", each.max_ms},
            {"goes_on", each.goes_on},
            {"waits_for_itself", each.waits_for_itself},
            {"fiber", each.fiber},
            {"spawned_at", each.spawned_at},
            {"location", location_of(each)},
            {"location_in_stack", each.location},
            {"stack", stack},
            {"fingerprint", each.fingerprint},
            {"suppressed_by", each.suppressed_by}};
}

json head() { return {{"version", format_version}, {"tool", "blocking-detector " + std::string{tool_version()}}}; }

/// Names and paths may contain any bytes. Replaces those that are not UTF-8.
std::string serialize(const json& what, int indent) {
    return what.dump(indent, ' ', false, json::error_handler_t::replace) + '\n';
}

frame frame_of(const json& object) {
    return {.function = object.at("function"),
            .file = object.at("file"),
            .line = object.at("line"),
            .module = object.at("module"),
            .offset = object.at("offset"),
            .plumbing = object.value("plumbing", false)};
}

coir::blocking_kind kind_named(const std::string& name) {
    using enum coir::blocking_kind;
    for (const auto each : {blocked, hog, latent}) {
        if (coir::detail::to_string(each) == name) return each;
    }
    throw usage_error{"'" + name + "' is not a kind of finding"};
}

coir::blocking_class class_named(const std::string& name) {
    if (const auto found = coir::detail::class_named(name)) return *found;
    throw usage_error{"'" + name + "' is not a class; the classes are " + coir::detail::names_of_all_classes()};
}

finding finding_of(const json& object) {
    finding made;
    made.kind = kind_named(object.at("kind"));
    made.category = class_named(object.at("class"));
    made.call = object.at("call");
    made.count = object.at("count");
    made.total_ms = object.at("total_ms");
    made.max_ms = object.at("max_ms");
    made.goes_on = object.at("goes_on");
    made.waits_for_itself = object.at("waits_for_itself");
    made.fiber = object.at("fiber");
    made.spawned_at = object.at("spawned_at");
    for (const json& each : object.at("stack")) made.stack.push_back(frame_of(each));
    made.location = std::clamp(object.at("location_in_stack").get<int>(), -1, static_cast<int>(made.stack.size()) - 1);
    made.fingerprint = object.at("fingerprint");
    made.suppressed_by = object.at("suppressed_by");
    return made;
}

/// Parses the file and returns the result of `use`. Every error is a `usage_error` that names the file.
template <class Use> auto with_json(const std::string& path, Use use) {
    try {
        const json all = json::parse(coir::detail::read_file(path, "cannot read"));
        if (all.at("version") != format_version) {
            throw usage_error{"the file has format version " + all.at("version").dump() +
                              ", but this tool reads version " + std::to_string(format_version)};
        }
        return use(all);
    } catch (const std::system_error& unreadable) {
        throw usage_error{unreadable.what()};
    } catch (const json::exception& malformed) {
        throw usage_error{path + ": not written by blocking-detector: " + malformed.what()};
    } catch (const usage_error& wrong) {
        throw usage_error{path + ": " + wrong.what()};
    }
}

}  // namespace

std::string to_json(const result& what) {
    json all = head();
    all["program"] = what.program;
    all["engine"] = what.engine;
    all["notes"] = what.notes;
    all["findings"] = json::array();
    for (const finding& each : what.findings) all["findings"].push_back(to_object(each));
    return serialize(all, 2);
}

std::string to_json_lines(const result& what) {
    std::string lines;
    for (const finding& each : what.findings) lines += serialize(to_object(each), -1);
    return lines;
}

result read_json(const std::string& path) {
    return with_json(path, [](const json& all) {
        result made{.program = all.at("program"), .findings = {}, .notes = all.at("notes"), .engine = all.at("engine")};
        for (const json& each : all.at("findings")) made.findings.push_back(finding_of(each));
        return made;
    });
}

std::set<std::string> read_baseline(const std::string& path) {
    return with_json(path, [](const json& all) {
        std::set<std::string> fingerprints;
        for (const json& each : all.at("findings")) fingerprints.insert(each.at("fingerprint"));
        return fingerprints;
    });
}

std::string to_baseline(const result& what) {
    json all = head();
    all["findings"] = json::array();
    std::set<std::string> written;
    for (const finding& each : what.findings) {
        if (!written.insert(each.fingerprint).second) continue;
        all["findings"].push_back({{"fingerprint", each.fingerprint},
                                   {"class", coir::detail::to_string(each.category)},
                                   {"call", each.call},
                                   {"location", location_of(each)}});
    }
    return serialize(all, 2);
}

}  // namespace detector
