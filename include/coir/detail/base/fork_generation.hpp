#pragma once

namespace coir::detail {

/// How many times the process and its ancestors were forked since the first call. In a child of fork(2) the number
/// differs from that of its parent; vfork(2) and posix_spawn(3) do not change it. Async-signal-safe after the first
/// call.
[[nodiscard]] unsigned fork_count() noexcept;

/// Remembers which process made an object: in a child of fork(2), the copy of the object still belongs to the parent.
class fork_generation {
public:
    fork_generation() noexcept : made_after_{fork_count()} {}
    [[nodiscard]] bool is_from_parent_process() const noexcept { return made_after_ != fork_count(); }

private:
    unsigned made_after_;
};

}  // namespace coir::detail
