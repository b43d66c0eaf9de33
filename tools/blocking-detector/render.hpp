#pragma once

#include "finding.hpp"

#include <string>

namespace detector {

/// SARIF 2.1.0, for GitHub code scanning and editors: suppressed findings are kept and say so.
[[nodiscard]] std::string to_sarif(const result& what);

/// JUnit XML: a test case for each finding, failed or skipped; one that passed when there is none.
[[nodiscard]] std::string to_junit(const result& what);

/// Workflow commands of GitHub Actions, one a line: they annotate the lines of a pull request.
[[nodiscard]] std::string to_github(const result& what);

/// GitLab's code quality report, a JSON array.
[[nodiscard]] std::string to_gitlab(const result& what);

/// One page that needs nothing but itself: a table, the stacks, a flame graph.
[[nodiscard]] std::string to_html(const result& what);

/// "outermost;...;innermost microseconds", one stack a line: what flame graph tools read.
[[nodiscard]] std::string to_folded(const result& what);

}  // namespace detector
