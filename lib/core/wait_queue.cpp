#include <coir/detail/core/wait_queue.hpp>

#include "core/scheduler.hpp"

namespace coir::detail {

wait_queue::~wait_queue() {
    COIR_CHECK(waiters_.empty() || is_from_parent_process(),
               "an object is destroyed while fibers wait on it; stop and join them first");
}

bool wait_queue::wait(const char* operation, const deadline& until, task* const* holder) {
    scheduler& here = scheduler::enter(operation);
    bind_owner(here, operation);
    waiter me{here.running(), waits_for_};
    me.held_by = holder;
    waiters_.push_back(me);
    return here.park(me, until) == outcome::woken;
}

task* wait_queue::wake_one() noexcept {
    waiter* const first = waiters_.front();
    // A waiter whose wait has ended is no longer in the queue (waiter::wake unlinks it), so the first one still waits.
    return first != nullptr && first->wake(outcome::woken) ? &first->self : nullptr;
}

void wait_queue::wake_all() noexcept {
    while (wake_one()) {
    }
}

}  // namespace coir::detail
