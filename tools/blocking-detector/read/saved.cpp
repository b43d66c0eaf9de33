#include "read/saved.hpp"

#include "base/read_file.hpp"
#include "cli/exit_codes.hpp"
#include "cli/option_values.hpp"
#include "cli/version.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/json.hpp"
#include "detect/finding/level.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <system_error>

namespace detector {

namespace {

using json = nlohmann::ordered_json;
using coir::detail::json_version;
using coir::detail::level_rule;

// Limits for files that the tool has not written: no stack has more frames, and no function has a longer name.
constexpr std::size_t frames_max = 1024;
constexpr std::size_t text_bytes_max = 16384;

std::string text_of(const json& value) {
    std::string text = value;
    if (text.size() > text_bytes_max) text.resize(text_bytes_max);
    return text;
}

double milliseconds_of(const json& value) { return std::clamp(value.get<double>(), 0.0, 1e15); }

frame frame_of(const json& object) {
    return {.function = text_of(object.at("function")),
            .file = text_of(object.at("file")),
            .line = object.at("line"),
            .module = text_of(object.at("module")),
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

level_rule rule_named(const std::string& name) {
    using enum level_rule;
    for (const auto each : {by_call, always, once_asleep, once_long, warning, note}) {
        if (coir::detail::to_string(each) == name) return each;
    }
    throw usage_error{"'" + name + "' is not a rule for levels"};
}

finding finding_of(const json& object) {
    finding made;
    made.kind = kind_named(object.at("kind"));
    made.level = level_in(object.at("level"));
    made.rule = rule_named(object.at("level_rule"));
    made.category = class_named(object.at("class"));
    made.call = text_of(object.at("call"));
    made.count = object.at("count");
    made.total_ms = milliseconds_of(object.at("total_ms"));
    made.max_ms = milliseconds_of(object.at("max_ms"));
    made.fibers_ran_ms = milliseconds_of(object.at("fibers_ran_ms"));
    made.goes_on = object.at("goes_on");
    made.waits_for_itself = object.at("waits_for_itself");
    made.fiber = text_of(object.at("fiber"));
    made.spawned_at = text_of(object.at("spawned_at"));
    made.test_case = text_of(object.at("test_case"));
    for (const json& each : object.at("stack")) {
        if (made.stack.size() < frames_max) made.stack.push_back(frame_of(each));
    }
    made.location = std::clamp(object.at("location_in_stack").get<int>(), -1, static_cast<int>(made.stack.size()) - 1);
    made.fiber_id = object.at("fiber_id");
    made.stacks = object.at("stacks");
    made.fingerprint = text_of(object.at("fingerprint"));
    made.coarse_fingerprint = text_of(object.at("coarse_fingerprint"));
    made.suppressed_by = text_of(object.at("suppressed_by"));
    make_printable(made);
    return made;
}

void check_version(const json& all) {
    const json& version = all.at("version");
    if (version == json_version) return;
    throw usage_error{"the file has format version " + (version.is_number() ? version.dump() : "unknown") +
                      ", but this tool reads version " + std::to_string(json_version) +
                      "; write it again with this version"};
}

/// Whether the brackets of a JSON text nest deeper than any that the tool writes: copies of such values overflow the
/// stack. (A callback of the parser could tell too, but makes it take quadratic time.)
bool is_deep(std::string_view text) noexcept {
    constexpr int depth_max = 8;
    int depth = 0;
    bool is_quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char each = text[i];
        if (each == '"') is_quoted = !is_quoted;
        if (is_quoted) {
            i += each == '\\' ? 1 : 0;
        } else if (each == '[' || each == '{') {
            if (++depth > depth_max) return true;
        } else if (each == ']' || each == '}') {
            --depth;
        }
    }
    return false;
}

/// The whole file, if it is one JSON value; else an object with its lines as findings.
json parse(const std::string& path) {
    const std::string text = coir::detail::read_file(path, "cannot read");
    if (!is_deep(text)) {
        json whole = json::parse(text, nullptr, false);
        if (!whole.is_discarded() && whole.contains("findings")) return whole;
    }
    json all{{"version", json_version}, {"findings", json::array()}};
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty()) continue;
        if (is_deep(line)) throw usage_error{"not written by blocking-detector: nested too deeply"};
        all["findings"].push_back(json::parse(line));
        check_version(all["findings"].back());
    }
    return all;
}

/// Calls `use` with the parsed file. Every error is a `usage_error` that names the file.
template <class Use> void with_json(const std::string& path, Use use) {
    try {
        const json all = parse(path);
        check_version(all);
        use(all);
    } catch (const std::system_error& unreadable) {
        throw usage_error{unreadable.what()};
    } catch (const json::exception& malformed) {
        throw usage_error{path + ": not written by blocking-detector: " + malformed.what()};
    } catch (const usage_error& wrong) {
        throw usage_error{path + ": " + wrong.what()};
    }
}

}  // namespace

json head_of_file() {
    return {{"version", json_version}, {"tool", "blocking-detector " + std::string{tool_version()}}};
}

json to_object(const finding& what) { return json::parse(coir::detail::to_json(what)); }

result read_saved_findings(const std::string& path) {
    result made;
    with_json(path, [&](const json& all) {
        made.program = all.value("program", path);
        made.notes = all.value("notes", std::vector<std::string>{});
        made.engine = all.value("engine", "unknown");
        for (const json& each : all.at("findings")) made.findings.push_back(finding_of(each));
    });
    return made;
}

void for_each_in_file(const std::string& path, const std::function<void(const json&)>& use) {
    with_json(path, [&](const json& all) { std::ranges::for_each(all.at("findings"), use); });
}

}  // namespace detector
