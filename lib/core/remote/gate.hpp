#pragma once

#include <coir/detail/base/fork_generation.hpp>

#include "core/remote/inbox.hpp"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace coir::detail {

/// Where other threads knock: a scheduler's inbox, for those who cannot know whether it still runs. Outlives its
/// scheduler while anyone refers to it. The scheduler closes it when its first fiber has ended: what was let in by
/// then arrives, and nothing is let in any more.
class gate {
public:
    explicit gate(inbox& behind) noexcept : inbox_{behind} {}

    /// Any thread: hands the message in, and true. False once the gate is closed; the message is its sender's then.
    [[nodiscard]] bool post(message& sent) noexcept;

    /// The scheduler's thread. When it returns, all that was let in is in the inbox, and nobody touches that by way of
    /// the gate any more.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept {
        return (state_.load(std::memory_order_acquire) & closed) == 0 && !is_from_parent_process();
    }

    /// Whether its scheduler has stayed in the process that this one was forked from. Closed then.
    [[nodiscard]] bool is_from_parent_process() const noexcept { return made_in_.is_from_parent_process(); }

    void refer() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    /// The last one that lets go in another thread tells the scheduler: nobody may be left to wake its fibers.
    void let_go() noexcept;

    /// Whether anyone but the scheduler has a reference, and so may yet post.
    [[nodiscard]] bool is_known() const noexcept { return references_.load(std::memory_order_acquire) > 1; }

private:
    static constexpr std::uint32_t closed = 1;
    static constexpr std::uint32_t pending_call = 2;

    [[nodiscard]] bool enter() noexcept;
    void leave() noexcept { state_.fetch_sub(pending_call, std::memory_order_release); }

    inbox& inbox_;
    const fork_generation made_in_;
    const pthread_t home_ = ::pthread_self();
    std::atomic<std::uint32_t> state_{0};       // on the threshold, and whether it is closed
    std::atomic<std::uint32_t> references_{1};  // the first is the scheduler's
};

}  // namespace coir::detail
