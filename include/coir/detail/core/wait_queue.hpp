#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/owner.hpp>

#include <cstdint>

namespace coir::detail {

class task;
struct waiter;

/// Fibers that wait for one thing, in order of arrival; the primitives are built on it. `wait` parks, `wake_one` hands
/// over to the first waiter. Belongs to one scheduler. The destructor aborts the program if fibers still wait.
class wait_queue {
public:
    explicit wait_queue(const char* waits_for) noexcept : waits_for_{waits_for} {}
    ~wait_queue();
    wait_queue(const wait_queue&) = delete;
    wait_queue& operator=(const wait_queue&) = delete;

    /// Parks the calling fiber, and returns true once it is woken. Returns false if `until` passes first. Throws
    /// `not_in_fiber`, `wrong_scheduler`, `cancelled`, `scope_expired`; nothing was then handed over. `holder` is the
    /// address of a pointer to the one task that can end the wait, if there is one; deadlock reports use it.
    [[nodiscard]] bool wait(const char* operation, const deadline& until = never, task* const* holder = nullptr);

    /// Wakes the fiber that has waited longest; it runs after the fibers that are already ready. Returns its task, or
    /// nullptr if none waits.
    task* wake_one() noexcept;
    void wake_all() noexcept;

    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }

    [[nodiscard]] bool belongs_to(std::uint64_t scheduler) const noexcept { return owner_.belongs_to(scheduler); }
    explicit operator const owner&() const noexcept { return owner_; }

    [[nodiscard]] bool is_from_parent_process() const noexcept { return owner_.is_from_parent_process(); }

    /// As `owner::bind_owner`; forgets all waiters if the last owner no longer exists.
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
