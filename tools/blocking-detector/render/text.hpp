#pragma once

#include "read/finding.hpp"

#include <string>

namespace detector {

/// The style of the text report.
struct text_style {
    bool colours = false;
    bool latent = false;        // also show latent findings
    std::string source_folder;  // folder in which relative source paths are searched
};

/// The text report: for each finding the user's line, the fiber, the remedy and the stack; then the notes and a
/// summary.
[[nodiscard]] std::string to_text(const result& what, const text_style& style);

/// The last line of the report.
[[nodiscard]] std::string summary_of(const result& what);

}  // namespace detector
