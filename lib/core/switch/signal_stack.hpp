#pragma once

#include <csignal>
#include <cstddef>

namespace coir::detail {

/// An alternate signal stack for the calling thread, sigaltstack(2), as long as this object exists. A thread that has one
/// keeps its own. Without memory the thread gets none: its handlers then run on the stack of the running fiber.
class signal_stack {
public:
    signal_stack() noexcept;
    ~signal_stack();
    signal_stack(const signal_stack&) = delete;
    signal_stack& operator=(const signal_stack&) = delete;

private:
    /// Address space: memory is allocated for pages that a handler touches.
    static constexpr std::size_t bytes = std::size_t{256} << 10;

    void* memory_ = nullptr;
};

}  // namespace coir::detail
