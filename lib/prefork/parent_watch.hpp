#pragma once

#include <chrono>

namespace coir::detail {

/// How long a worker may take to end by itself after its parent has died.
inline constexpr std::chrono::seconds orphan_lives_max{2};

/// Starts a thread that ends this process `orphan_lives_max` after the parent has died. `lifeline` is the read end of a
/// pipe whose write end is open only in the parent, so end of file means that the parent has died. It is a thread and
/// not a fiber, because a fiber may be blocking the scheduler's thread. `lifeline` must stay open. Throws
/// `std::system_error`.
void watch_parent(int lifeline);

}  // namespace coir::detail
