#pragma once

#include <cstdint>

namespace coir::detail::running_schedulers {

// The serial numbers of the schedulers that run, on whatever thread of this process. Asked only when an object meets a
// scheduler that is not its owner.

/// A new one's: unlike every number before it, in this process and those that it was forked from.
std::uint64_t enrol();

void leave(std::uint64_t serial) noexcept;

[[nodiscard]] bool contain(std::uint64_t serial) noexcept;

/// Whether it is the number of a scheduler that has stayed in another process, from which this one was forked.
[[nodiscard]] bool is_from_parent_process(std::uint64_t serial) noexcept;

}  // namespace coir::detail::running_schedulers
