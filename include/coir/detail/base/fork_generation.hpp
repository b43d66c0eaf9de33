#pragma once

namespace coir::detail {

/// How often the process and its ancestors were forked since the first call. A child of fork(2) gets another number than
/// its parent has; children that are made without fork(2), as by vfork(2) and posix_spawn(3), do not change it. After the
/// first call, async-signal-safe.
[[nodiscard]] unsigned fork_count() noexcept;

/// Remembers in which process an object was made: in a child of fork(2), the copy of the object still belongs to the parent.
class fork_generation {
public:
    fork_generation() noexcept : made_after_{fork_count()} {}
    [[nodiscard]] bool is_from_parent_process() const noexcept { return made_after_ != fork_count(); }

private:
    unsigned made_after_;
};

}  // namespace coir::detail
