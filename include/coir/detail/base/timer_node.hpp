#pragma once

#include <coir/detail/base/list.hpp>

#include <cstdint>

namespace coir::detail {

/// An entry of a `timer_queue`. It is part of the waiting object, usually on the stack of a fiber.
struct timer_node : list_hook {
    using callback = void (*)(timer_node&) noexcept;

    timer_node() = default;
    timer_node(std::int64_t at_nanoseconds, callback on_fire) noexcept : at{at_nanoseconds}, fire{on_fire} {}

    std::int64_t at = 0;      // in nanoseconds of coir::clock
    callback fire = nullptr;  // the hub calls it once, after the node has left the queue
    std::uint16_t slot = 0;   // slot of the queue that holds the node
};

}  // namespace coir::detail
