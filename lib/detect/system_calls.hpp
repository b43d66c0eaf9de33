#pragma once

#include "detect/blocking_events.hpp"
#include "detect/call_model.hpp"

#include <array>

namespace coir::detail {

/// A system call with its arguments, as a fiber makes it.
struct trapped_call {
    long number = 0;
    std::array<long, 6> arguments{};
};

/// Safe in signal handlers.
[[nodiscard]] call_model model_of(const trapped_call& call) noexcept;

/// What reports call it: "nanosleep", "system call 440".
[[nodiscard]] call_name name_of_system_call(long number) noexcept;

}  // namespace coir::detail
