#pragma once

#include "read/result.hpp"

#include <string>

namespace detector {

/// The style of the text report.
struct text_style {
    bool colours = false;
    coir::blocking_level show = coir::blocking_level::error;  // the lowest level that is shown
    std::string source_folder;                                // folder in which relative source paths are searched
};

/// The text report: for each finding the user's line, the fiber, the remedy and the stack; then the notes and a
/// summary.
[[nodiscard]] std::string to_text(const result& what, const text_style& style);

/// The last line of the report: how many findings of each level there are, and which option shows the others.
[[nodiscard]] std::string summary_of(const result& what, coir::blocking_level show = coir::blocking_level::error);

}  // namespace detector
