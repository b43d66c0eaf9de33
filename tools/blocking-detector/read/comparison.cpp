#include "read/comparison.hpp"

#include "detect/finding/wording.hpp"

#include <algorithm>
#include <map>

namespace detector {

using namespace coir::detail;

namespace {

/// The findings of a run by fingerprint. Of several with the same fingerprint the first, which is the most important.
std::map<std::string, const finding*> by_fingerprint(const result& of) {
    std::map<std::string, const finding*> found;
    for (const finding& each : of.findings) found.try_emplace(each.fingerprint, &each);
    return found;
}

std::string line_of(const char* mark, const finding& what) {
    const auto line = nearest_line(what);
    return mark + (line ? to_string(*line) + ": " : "") + headline(what) + '\n';
}

}  // namespace

comparison compare(const result& before, const result& after, std::optional<coir::blocking_level> fail_on) {
    const auto then = by_fingerprint(before);
    const auto now = by_fingerprint(after);
    comparison made;
    std::string gone;
    std::size_t counts[3] = {};  // new, gone, same
    for (const auto& [fingerprint, each] : now) {
        if (then.contains(fingerprint)) {
            ++counts[2];
        } else if (each->suppressed_by.empty()) {
            ++counts[0];
            made.text += line_of("new   ", *each);
            made.has_failed |= fail_on && each->level >= *fail_on;
        }
    }
    for (const auto& [fingerprint, each] : then) {
        if (now.contains(fingerprint) || !each->suppressed_by.empty()) continue;
        ++counts[1];
        gone += line_of("gone  ", *each);
    }
    made.text += gone + std::to_string(counts[0]) + " new, " + std::to_string(counts[1]) + " gone, " +
                 std::to_string(counts[2]) + " same\n";
    return made;
}

}  // namespace detector
