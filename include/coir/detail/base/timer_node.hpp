#pragma once

#include <coir/detail/base/list.hpp>

#include <cstdint>

namespace coir::detail {

/// What waits in a `timer_queue`: lies in the object that is waiting, a fiber's stack as a rule.
struct timer_node : list_hook {
    using callback = void (*)(timer_node&) noexcept;

    timer_node() = default;
    timer_node(std::int64_t at_nanoseconds, callback on_fire) noexcept : at{at_nanoseconds}, fire{on_fire} {}

    std::int64_t at = 0;      // on coir::clock
    callback fire = nullptr;  // called by the hub, once, after the node has left the queue
    std::uint16_t slot = 0;   // where the queue keeps it
};

}  // namespace coir::detail
