#pragma once

#include "finding.hpp"

#include <string>

namespace detector {

/// How the report for a person looks.
struct text_style {
    bool colours = false;
    bool latent = false;        // latent ones too
    std::string source_folder;  // what relative paths of sources may be relative to
};

/// For each finding the user's line, the fiber, what to write instead, and the stack; then the notes and a summary.
[[nodiscard]] std::string to_text(const result& what, const text_style& style);

/// The last line of the report.
[[nodiscard]] std::string summary_of(const result& what);

}  // namespace detector
