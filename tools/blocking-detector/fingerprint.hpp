#pragma once

#include "finding.hpp"

#include <string>

namespace detector {

/// A number for a place that stays when lines move, the program is built again or runs on another machine: made of the
/// class, the call, and the names of the functions in the user's code from `location` outwards. Where there are no
/// names, as in a stripped program, of the offsets in the file, which are another build's no more.
[[nodiscard]] std::string fingerprint_of(const finding& where);

}  // namespace detector
