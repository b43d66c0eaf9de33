#pragma once

/// @file Layer base.

#include <coir/detail/base/platform.hpp>

namespace coir {

/// How much a message of the log matters.
enum class log_level {
    info,     // something went as it should
    warning,  // something to look at; the program goes on
    error,    // something has failed
};

}  // namespace coir
