#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/owner.hpp>

#include <cstdint>

namespace coir::detail {

class task;
struct waiter;

/// Fibers that wait for one thing, in the order they came. What primitives are made of: `wait` parks, `wake_one` hands
/// over to the first. Belongs to one scheduler; destroyed with fibers in it, it aborts.
class wait_queue {
public:
    explicit wait_queue(const char* waits_for) noexcept : waits_for_{waits_for} {}
    ~wait_queue();
    wait_queue(const wait_queue&) = delete;
    wait_queue& operator=(const wait_queue&) = delete;

    /// Parks the calling fiber until it is woken: true. False when `until` came first. Throws `not_in_fiber`,
    /// `wrong_scheduler`, `cancelled`, `scope_expired`: then nothing was handed over. `holder` is where stands the one
    /// fiber that can end the wait, if there is one: known to reports of deadlocks.
    [[nodiscard]] bool wait(const char* operation, const deadline& until = never, task* const* holder = nullptr);

    /// Wakes the fiber that has waited longest, and runs it after those already ready. Which one; nullptr when none
    /// waits.
    task* wake_one() noexcept;
    void wake_all() noexcept;

    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }

    [[nodiscard]] bool belongs_to(std::uint64_t scheduler) const noexcept { return owner_.belongs_to(scheduler); }

    [[nodiscard]] bool is_from_parent_process() const noexcept { return owner_.is_from_parent_process(); }

    /// As `owner::bind_owner`, and nobody waits any more where the last owner is gone.
    bool bind_owner(const char* operation) { return forget_if(owner_.bind_owner(operation)); }
    bool bind_owner(const scheduler& here, const char* operation) {
        return forget_if(owner_.bind_owner(here, operation));
    }

private:
    bool forget_if(bool gone) noexcept {
        if (gone) waiters_.forget();
        return gone;
    }

    list<waiter> waiters_;
    owner owner_;
    const char* waits_for_;
};

}  // namespace coir::detail
