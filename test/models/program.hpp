#pragma once

#include "models/operation.hpp"

#include <array>
#include <cstdint>
#include <iosfwd>
#include <span>

namespace coir::models {

/// What three fibers do, each four operations.
struct program {
    std::array<std::array<const operation*, operations_each>, fibers> operations{};
    int setup = 0;  // for the primitive: its permits, its capacity
};

/// The program that a seed gives, from the operations of a primitive's table and its number of setups.
program make_program(std::span<const operation> table, int setups, std::uint64_t seed);

std::ostream& operator<<(std::ostream& to, const program& written);

}  // namespace coir::models
