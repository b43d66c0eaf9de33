#pragma once

#include "models/primitive.hpp"

#include <cstdint>

namespace coir::models {

/// What a self-test does wrong.
enum class fault {
    none,
    lost_calls,        // see `primitive::lost`
    last_comes_first,  // in the model
};

struct checked {
    const primitive& of;
    std::uint64_t first_seed = 1;
    int programs = 1;
    std::uint64_t stride = 1;  // runs one in so many schedules; which ones depends on the seed
    fault seeded = fault::none;
};

/// Runs programs with consecutive seeds. Prints a line of the result; with a seeded fault only if there is no
/// difference. Returns whether there is no difference.
bool check(const checked& what);

}  // namespace coir::models
