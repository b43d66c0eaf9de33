#pragma once

#include "cli/options.hpp"
#include "read/result.hpp"

#include <optional>
#include <string>

namespace detector {

/// The result of comparing two runs.
struct comparison {
    std::string text;         // one line a finding, and a summary
    bool has_failed = false;  // there are new findings of the kinds of `--fail-on`
};

/// Compares findings by their fingerprints. Suppressed findings are neither new nor gone.
[[nodiscard]] comparison compare(const result& before, const result& after,
                                 std::optional<coir::blocking_level> fail_on);

}  // namespace detector
