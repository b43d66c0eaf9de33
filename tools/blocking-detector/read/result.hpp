#pragma once

#include "detect/finding/finding.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace detector {

using coir::detail::finding;
using coir::detail::frame;

/// The names of engines, the weakest first. "unknown" is that of findings which were saved as lines; "" that of no run.
inline constexpr std::array<std::string_view, 5> engines_by_rank{"", "unknown", "watch", "hooks", "trap"};

/// The findings in a program. All reports are rendered from it.
struct result {
    std::string program;             // the command line, or the files that were read
    std::vector<finding> findings;   // most important first: unsuppressed before suppressed, then by level and time
    std::vector<std::string> notes;  // for the reader: a missing engine, omitted locations, unused suppressions
    std::string engine;              // weakest engine used; "" without a run of coir
};

}  // namespace detector
