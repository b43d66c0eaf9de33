#pragma once

#include "finding.hpp"
#include "options.hpp"

namespace detector {

/// Throws `usage_error` when a file that is asked for could never be written: to be known before a program runs.
void check_outputs(const options& asked);

/// Writes what `-o` asks for, and text to standard output when it asks for nothing. Tries all of them; throws the first
/// `std::system_error`.
void write_reports(const options& asked, const result& found);

}  // namespace detector
