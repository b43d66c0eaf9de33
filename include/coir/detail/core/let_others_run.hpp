#pragma once

namespace coir::detail {

/// Called after an operation that is documented as a wait, but did not have to wait. After many of these in a row the
/// fiber yields, so that a source that is always ready leaves other fibers, timers and descriptors their turn. It is no
/// cancellation point. Does nothing outside a fiber.
void let_others_run() noexcept;

}  // namespace coir::detail
