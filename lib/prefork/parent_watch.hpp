#pragma once

#include <chrono>

namespace coir::detail {

/// How long a worker without a parent may take to come to its end by itself.
inline constexpr std::chrono::seconds orphan_lives_max{2};

/// Makes a thread that ends this process once the parent is gone: then, and not before, `lifeline`, the read end of a
/// pipe of which the parent alone has the other, comes to its end. A thread, since a fiber may hold the scheduler's.
/// `lifeline` must stay open. Throws `std::system_error`.
void watch_parent(int lifeline);

}  // namespace coir::detail
