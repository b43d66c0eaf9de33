#include "detect/finding/wording.hpp"
#include "render/render.hpp"

#include <algorithm>
#include <cmath>

namespace detector {

using namespace coir::detail;

namespace {

/// Replaces the character that separates frames.
std::string as_frame(std::string name) {
    std::ranges::replace(name, ';', ':');
    return name;
}

}  // namespace

std::string to_folded(const result& what) {
    std::string text;
    for (const finding& each : what.findings) {
        const long long microseconds = std::llround(each.total_ms * 1000);
        if (!each.suppressed_by.empty() || microseconds == 0) continue;
        std::string line;
        for (const std::string& name : path_to(each)) line += (line.empty() ? "" : ";") + as_frame(name);
        text += line + ' ' + std::to_string(microseconds) + '\n';
    }
    return text;
}

}  // namespace detector
