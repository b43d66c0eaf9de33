#pragma once

namespace coir::detail {

/// How often the process was forked since this was first asked, in it or in one that it comes from: a child of fork(2)
/// gets another number than its parent had. What a process must not take for its own keeps the number of its making.
/// What makes children without fork(2), as vfork(2) and posix_spawn(3) do, leaves it alone. Once asked, it may be asked
/// in signal handlers.
[[nodiscard]] unsigned fork_count() noexcept;

}  // namespace coir::detail
