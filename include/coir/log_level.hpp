#pragma once

/// @file Layer base.

#include <coir/detail/base/platform.hpp>

namespace coir {

/// The severity of a log message.
enum class log_level {
    info,     // normal operation
    warning,  // needs attention; the program continues
    error,    // something has failed
};

}  // namespace coir
