#pragma once

#include <coir/detail/base/fork_generation.hpp>

#include "core/remote/inbox.hpp"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace coir::detail {

/// Access to a scheduler's inbox for threads that cannot know whether the scheduler still runs. Reference-counted, and
/// may outlive the scheduler. The scheduler closes the gate when its first fiber ends: messages accepted before that
/// are delivered, later ones are refused.
class gate {
public:
    explicit gate(inbox& behind) noexcept : inbox_{behind} {}

    /// Posts the message to the inbox and returns true. Returns false if the gate is closed; the message then stays
    /// with the caller. May be called on any thread.
    [[nodiscard]] bool post(message& sent) noexcept { return put(sent, &inbox::put); }
    /// The same for a call, which begins a fiber.
    [[nodiscard]] bool post_call(message& sent) noexcept { return put(sent, &inbox::put_call); }

    /// Called on the scheduler's thread. After it returns, all accepted messages are in the inbox, and no thread
    /// accesses the inbox through the gate.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept {
        return (state_.load(std::memory_order_acquire) & closed) == 0 && !is_from_parent_process();
    }

    /// Whether the gate was made in a process that this one was forked from. Such a gate counts as closed.
    [[nodiscard]] bool is_from_parent_process() const noexcept { return made_in_.is_from_parent_process(); }

    /// Adds a reference.
    void refer() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    /// Removes a reference; the gate is deleted with the last one. If another thread removes the last reference besides
    /// the scheduler's own, it wakes the hub, which may now find a deadlock.
    void let_go() noexcept;

    /// Whether there are references besides the scheduler's own, so that messages may still be posted.
    [[nodiscard]] bool is_known() const noexcept { return references_.load(std::memory_order_acquire) > 1; }

private:
    static constexpr std::uint32_t closed = 1;
    static constexpr std::uint32_t pending_call = 2;

    [[nodiscard]] bool put(message& sent, void (inbox::*how)(message&) noexcept) noexcept;
    [[nodiscard]] bool enter() noexcept;
    void leave() noexcept { state_.fetch_sub(pending_call, std::memory_order_release); }

    inbox& inbox_;
    const fork_generation made_in_;
    const pthread_t home_ = ::pthread_self();
    std::atomic<std::uint32_t> state_{0};       // the closed flag, and calls in progress times `pending_call`
    std::atomic<std::uint32_t> references_{1};  // starts with the scheduler's own
};

}  // namespace coir::detail
