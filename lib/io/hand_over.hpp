#pragma once

#include "base/unique_fd.hpp"

#include <utility>

namespace coir::detail {

/// Makes the object that owns the descriptor from now on. If its constructor throws, the descriptor is closed.
template <class Owner> Owner hand_over(unique_fd fd) {
    Owner made{fd.get()};
    static_cast<void>(fd.release());
    return made;
}

}  // namespace coir::detail
