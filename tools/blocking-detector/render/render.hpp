#pragma once

#include "read/result.hpp"

#include <string>

namespace detector {

/// SARIF 2.1.0, for GitHub code scanning and editors. Contains suppressed findings, marked as such. Relative paths are
/// relative to `source_folder`, an absolute path; empty: unknown.
[[nodiscard]] std::string to_sarif(const result& what, const std::string& source_folder = {});

/// JUnit XML: a test case for each finding, which failed (error), passed (warning, note) or was skipped (suppressed).
/// Without findings, one test case that passed.
[[nodiscard]] std::string to_junit(const result& what);

/// Workflow commands of GitHub Actions, one a line. They annotate source lines in a pull request.
[[nodiscard]] std::string to_github(const result& what);

/// GitLab's code quality report, a JSON array.
[[nodiscard]] std::string to_gitlab(const result& what);

/// One self-contained page with a table, the source lines, the stacks and a flame graph. Relative source paths are
/// looked for in `source_folder` too.
[[nodiscard]] std::string to_html(const result& what, const std::string& source_folder = {});

/// "outermost;...;innermost microseconds", one stack a line: the input format of flame graph tools.
[[nodiscard]] std::string to_folded(const result& what);

}  // namespace detector
