#pragma once

#include "read/finding.hpp"

#include <string>

namespace detector {

/// A hash that identifies a location. It stays the same when lines move, and in another build or on another machine: it
/// is computed from the class, the call, and the names of the user's functions from `location` outwards. A function
/// without a name, as in a stripped program, contributes its offset in the file, which changes with each build.
[[nodiscard]] std::string fingerprint_of(const finding& where);

}  // namespace detector
