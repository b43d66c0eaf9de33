#include <coir/error.hpp>
#include <coir/sync/latch.hpp>

#include "sync/bind_owner.hpp"

namespace coir {

latch::latch(std::ptrdiff_t expected) noexcept : left_{expected} {
    COIR_CHECK(expected >= 0, "latch: the expected count must not be negative");
}

void latch::count_down(std::ptrdiff_t arrivals) {
    waiters_.bind_owner("latch::count_down");
    COIR_CHECK(arrivals >= 0 && arrivals <= left_,
               "latch::count_down: the count must be at least 0 and at most the remaining count");
    left_ -= arrivals;
    if (left_ == 0) waiters_.wake_all();
}

void latch::wait(deadline until) {
    detail::scheduler& here = detail::bind_owner(waiters_, "latch::wait");
    if (left_ > 0 && !waiters_.wait("latch::wait", until) && left_ > 0) throw timed_out{"latch::wait"};
    here.yield_if_due();
}

void latch::arrive_and_wait(std::ptrdiff_t arrivals, deadline until) {
    detail::bind_owner(waiters_, "latch::arrive_and_wait");
    count_down(arrivals);
    wait(until);
}

}  // namespace coir
