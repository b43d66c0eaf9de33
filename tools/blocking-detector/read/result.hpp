#pragma once

#include "detect/finding/finding.hpp"

#include <string>
#include <vector>

namespace detector {

using coir::detail::finding;
using coir::detail::frame;

/// The findings in a program. All reports are rendered from it.
struct result {
    std::string program;             // the command line, or the files that were read
    std::vector<finding> findings;   // most important first: unsuppressed before suppressed, then by level and time
    std::vector<std::string> notes;  // for the reader: a missing engine, omitted locations, unused suppressions
    std::string engine;              // weakest engine used: "trap", "hooks", "watch"; "" without a run of coir
};

}  // namespace detector
