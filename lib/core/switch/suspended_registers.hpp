#pragma once

#include "base/suspended_stack.hpp"
#include "core/switch/context.hpp"

#include <cstdint>

namespace coir::detail {

/// The registers with which a suspended flow will resume, as the switch has stored them on its stack.
struct suspended_registers {
    std::uintptr_t pc = 0;
    known_registers values{};

    explicit suspended_registers(const context& suspended) noexcept;
};

}  // namespace coir::detail
