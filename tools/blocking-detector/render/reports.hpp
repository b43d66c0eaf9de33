#pragma once

#include "cli/options.hpp"
#include "read/result.hpp"

namespace detector {

/// Throws `usage_error` if an output file cannot be written. Called before a program runs.
void check_outputs(const options& requested);

/// Writes the reports of `-o`; without `-o`, text to standard output. Tries to write all of them even if one fails,
/// then throws the first `std::system_error`.
void write_reports(const options& requested, const result& found);

}  // namespace detector
