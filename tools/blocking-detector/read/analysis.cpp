#include "read/analysis.hpp"

#include "detect/finding/level.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace detector {

namespace {

constexpr const char* by_baseline = "baseline";

/// The order of findings in a report: the most important first.
bool comes_before(const finding& one, const finding& other) {
    const auto rank = [](const finding& each) {
        return std::tuple{!each.suppressed_by.empty(), -static_cast<int>(each.level), !each.goes_on, -each.total_ms,
                          each.fingerprint};
    };
    return rank(one) < rank(other);
}

}  // namespace

analysis::analysis(const options& requested)
    : options_{requested}, suppressing_{requested.suppressions}, seen_{requested.code} {
    if (!requested.baseline.empty()) known_ = baseline{requested.baseline};
}

result analysis::finish() {
    result found = seen_.take();
    judge(found.findings);
    suppressing_.apply(found.findings);
    note_suppressions(found.notes);
    apply_baseline(found.findings);
    for (finding& each : found.findings) strip_prefix(each);
    std::ranges::sort(found.findings, comes_before);
    const auto counts = [&](const finding& each) { return options_.fail_on && each.level >= *options_.fail_on; };
    has_failed_ |= std::ranges::any_of(found.findings,
                                       [&](const finding& each) { return each.suppressed_by.empty() && counts(each); });
    std::ranges::copy_if(found.findings, std::back_inserter(for_baseline_.findings), [&](const finding& each) {
        return counts(each) && (each.suppressed_by.empty() || each.suppressed_by == by_baseline);
    });
    keep_first(found);
    return found;
}

void analysis::judge(std::vector<finding>& findings) const {
    if (options_.classes) {
        std::erase_if(findings, [&](const finding& each) { return !options_.classes->contains(each.category); });
    }
    const coir::detail::level_limits limits{.longest = options_.min_duration};
    for (finding& each : findings) each.level = coir::detail::level_of(each, limits);
}

void analysis::apply_baseline(std::vector<finding>& findings) {
    for (finding& each : findings) {
        if (each.suppressed_by.empty() && known_.take(each)) each.suppressed_by = by_baseline;
    }
}

void analysis::note_suppressions(std::vector<std::string>& notes) {
    std::ranges::move(suppressing_.hits(), std::back_inserter(notes));
    if (options_.unused == unused_rules::off) return;
    const std::vector<std::string> unused = suppressing_.unused();
    has_failed_ |= options_.unused == unused_rules::error && !unused.empty();
    std::ranges::copy(unused, std::back_inserter(notes));
}

void analysis::strip_prefix(finding& of) const {
    std::string prefix = options_.strip_prefix;
    if (prefix.empty()) return;
    if (!prefix.ends_with('/')) prefix += '/';
    const auto strip = [&](std::string& text) {
        if (text.starts_with(prefix)) text.erase(0, prefix.size());
    };
    for (frame& each : of.stack) strip(each.file);
    strip(of.spawned_at);
}

void analysis::keep_first(result& found) const {
    if (!options_.max_findings || found.findings.size() <= *options_.max_findings) return;
    found.notes.push_back("not reported: " + std::to_string(found.findings.size() - *options_.max_findings) +
                          " more findings, because of --max-findings");
    found.findings.resize(*options_.max_findings);
}

}  // namespace detector
