#include "read/baseline.hpp"

#include "detect/calls/classes.hpp"
#include "read/saved.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace detector {

baseline::baseline(const std::string& path) {
    for_each_in_file(path, [&](const nlohmann::ordered_json& each) {
        const std::string fingerprint = each.at("fingerprint");
        const std::string coarse = each.at("coarse_fingerprint");
        fingerprints_.insert(fingerprint);
        ++coarse_[coarse];
        if (fingerprint == coarse) ++sourceless_[coarse];
    });
}

bool baseline::take(const finding& which) {
    const auto take_from = [&](std::map<std::string, std::size_t>& left) {
        const auto found = left.find(which.coarse_fingerprint);
        if (found == left.end() || found->second == 0) return false;
        --found->second;
        return true;
    };
    if (which.fingerprint == which.coarse_fingerprint) return take_from(coarse_);
    return fingerprints_.contains(which.fingerprint) || take_from(sourceless_);
}

std::string to_baseline(const result& what) {
    nlohmann::ordered_json all = head_of_file();
    all["findings"] = nlohmann::ordered_json::array();
    std::vector<const finding*> sorted;
    for (const finding& each : what.findings) sorted.push_back(&each);
    std::ranges::sort(sorted, {}, [](const finding* each) { return std::tie(each->fingerprint, each->spawned_at); });
    for (const finding* each : sorted) {
        const nlohmann::ordered_json whole = to_object(*each);
        all["findings"].push_back({{"fingerprint", each->fingerprint},
                                   {"coarse_fingerprint", each->coarse_fingerprint},
                                   {"class", coir::detail::to_string(each->category)},
                                   {"call", each->call},
                                   {"location", whole.at("location")}});
    }
    return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace detector
