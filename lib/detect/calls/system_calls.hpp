#pragma once

#include "detect/calls/call_model.hpp"
#include "detect/record/blocking_events.hpp"

#include <array>

namespace coir::detail {

/// A system call of a fiber, with its arguments.
struct trapped_call {
    long number = 0;
    std::array<long, 6> arguments{};
};

/// Safe in signal handlers.
[[nodiscard]] call_model model_of(const trapped_call& call) noexcept;

/// The name for reports: "nanosleep", "system call 440".
[[nodiscard]] call_name name_of_system_call(long number) noexcept;

}  // namespace coir::detail
