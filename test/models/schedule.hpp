#pragma once

#include "models/operation.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace coir::models {

/// Which fiber gets the turn, step by step.
using schedule = std::array<int, std::size_t{fibers} * operations_each>;

/// All schedules of fibers with their operations: 12! / (4! 4! 4!).
inline constexpr int schedule_count = 34'650;

constexpr schedule first_schedule() {
    schedule first{};
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int>(i) / operations_each;
    return first;
}

/// False after the last schedule.
inline bool next_schedule(schedule& current) { return std::next_permutation(current.begin(), current.end()); }

}  // namespace coir::models
