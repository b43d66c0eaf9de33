#pragma once

/// @file Layer core.

#include <coir/detail/base/platform.hpp>

namespace coir {

/// What `dump_fibers` writes.
struct dump_options {
    /// Also the functions in which each fiber stands, innermost first, with file and line, and how much of its stack it
    /// uses. Fibers that stand at the same place and wait for the same kind of thing have one entry.
    ///
    /// @code
    /// std::ostringstream text;
    /// coir::dump_fibers(text, {.stacks = true});
    /// if (text.str().find("running") == std::string::npos) throw std::logic_error{text.str()};
    /// @endcode
    bool stacks = false;
};

}  // namespace coir
