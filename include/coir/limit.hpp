#pragma once

#include <coir/detail/base/platform.hpp>

#include <cstddef>

namespace coir {

/// The maximum number of fibers that run at the same time.
struct limit {
    /// Throws `std::invalid_argument` for 0.
    explicit limit(std::size_t at_once);

    std::size_t at_once;
};

}  // namespace coir
