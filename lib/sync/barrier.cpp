#include <coir/error.hpp>
#include <coir/sync/barrier.hpp>

#include "sync/bind_owner.hpp"

namespace coir::detail {

/// A fiber that waits for the end of the phase. It is in the list until the phase ends, or until its wait has ended
/// otherwise and the fiber runs again. If the fiber runs before the end of the phase, its arrival is taken back; if the
/// phase ends first, the arrival counts.
struct barrier_core::barrier_waiter : list_hook {
    barrier_waiter(task& fiber, std::ptrdiff_t counted_in) noexcept : waits{fiber, "barrier"}, arrivals{counted_in} {}

    waiter waits;
    std::ptrdiff_t arrivals;
};

barrier_core::barrier_core(std::ptrdiff_t expected) noexcept : expected_{expected}, missing_{expected} {
    COIR_CHECK(expected >= 0, "barrier: the expected count must not be negative");
}

barrier_core::~barrier_core() {
    COIR_CHECK(waiting_.empty() || owner_.is_from_parent_process(),
               "barrier: destroyed while fibers wait on it; stop and join them first");
}

bool barrier_core::arrive(const char* operation, std::ptrdiff_t arrivals) {
    if (owner_.bind_owner(operation)) forget_waiting();
    COIR_CHECK(arrivals > 0 && arrivals <= missing_,
               "barrier: the number of arrivals must be at least 1 and at most the number still missing");
    missing_ -= arrivals;
    return missing_ == 0;
}

bool barrier_core::arrive_and_drop() {
    const bool all_are_here = arrive("barrier::arrive_and_drop", 1);
    --expected_;
    return all_are_here;
}

bool barrier_core::arrive_or_wait(const deadline& until) {
    bind_owner(owner_, "barrier::arrive_and_wait", [this]() noexcept { forget_waiting(); });
    if (missing_ <= 1) return arrive("barrier::arrive_and_wait", 1);
    park(1, "barrier::arrive_and_wait", until);
    return false;
}

void barrier_core::wait(std::uint64_t phase, const deadline& until) {
    bind_owner(owner_, "barrier::wait", [this]() noexcept { forget_waiting(); });
    if (phase == phase_) park(0, "barrier::wait", until);
}

void barrier_core::park(std::ptrdiff_t arrivals, const char* operation, const deadline& until) {
    scheduler& here = scheduler::enter(operation);
    barrier_waiter me{here.running(), arrivals};
    waiting_.push_back(me);
    missing_ -= arrivals;
    try {
        if (here.park(me.waits, until) == outcome::timed_out && me.is_linked()) throw timed_out{operation};
    } catch (...) {
        // The phase has ended with this arrival, so the call succeeds. A stop is thrown at the next suspension instead.
        // The barrier may already be destroyed.
        if (!me.is_linked()) return;
        COIR_CHECK(missing_ > 0, "barrier: the completion function suspends, but must not");
        me.unlink();
        missing_ += arrivals;
        throw;
    }
}

/// Called if the previous owner has ended: takes back the arrivals of its fibers, as if they had given up.
void barrier_core::forget_waiting() noexcept {
    waiting_.for_each([this](const barrier_waiter& each) { missing_ += each.arrivals; });
    waiting_.forget();
}

void barrier_core::begin_phase() noexcept {
    ++phase_;
    missing_ = expected_;
    while (barrier_waiter* const first = waiting_.pop_front()) first->waits.wake(outcome::woken);
}

}  // namespace coir::detail
