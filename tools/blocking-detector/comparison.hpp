#pragma once

#include "finding.hpp"
#include "options.hpp"

#include <string>

namespace detector {

/// Two runs, place by line.
struct comparison {
    std::string text;
    bool has_failed = false;  // what is new counts
};

/// Places are the same that have the same fingerprint. What is suppressed in either is left out of what is new and
/// gone.
[[nodiscard]] comparison compare(const result& before, const result& after, const failing_kinds& fail_on);

}  // namespace detector
