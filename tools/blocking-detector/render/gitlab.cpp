#include "detect/finding/wording.hpp"
#include "render/location.hpp"
#include "render/render.hpp"
#include "render/rules.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>

namespace detector {

using namespace coir::detail;

namespace {

std::string_view severity_of(const finding& what) noexcept {
    if (what.waits_for_itself) return "blocker";
    switch (what.level) {
    case coir::blocking_level::error: return "major";
    case coir::blocking_level::warning: return "minor";
    case coir::blocking_level::note: return "info";
    }
    return "info";
}

/// Makes fingerprints unique by appending a number. Of several entries with the same fingerprint GitLab shows only one.
class unique_fingerprints {
public:
    std::string operator()(const std::string& fingerprint) {
        const int seen = ++seen_[fingerprint];
        return seen == 1 ? fingerprint : fingerprint + '-' + std::to_string(seen);
    }

private:
    std::map<std::string, int> seen_;
};

}  // namespace

std::string to_gitlab(const result& what) {
    using nlohmann::ordered_json;
    ordered_json entries = ordered_json::array();
    unique_fingerprints unique;
    for (const finding& each : what.findings) {
        if (!each.suppressed_by.empty()) continue;
        const source_line line = some_line(each, what);
        entries.push_back({
            {"description", headline(each) + "; " + remedy(each)},
            {"check_name", rule_for(each.category).id},
            {"fingerprint", unique(each.fingerprint)},
            {"severity", severity_of(each)},
            // GitLab expects the path in the repository, without "./".
            {"location",
             {{"path", std::filesystem::path{line.file}.lexically_normal().string()},
              {"lines", {{"begin", line.line}}}}},
        });
    }
    return entries.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace detector
