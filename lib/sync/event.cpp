#include <coir/error.hpp>
#include <coir/sync/event.hpp>

#include "sync/bind_owner.hpp"

namespace coir {

void event::set() {
    waiters_.bind_owner("event::set");
    set_ = true;
    waiters_.wake_all();
}

void event::reset() {
    waiters_.bind_owner("event::reset");
    set_ = false;
}

void event::wait(deadline until) {
    detail::scheduler& here = detail::bind_owner(waiters_, "event::wait");
    if (!set_ && !waiters_.wait("event::wait", until) && !set_) throw timed_out{"event::wait"};
    here.yield_if_due();
}

}  // namespace coir
