#include <coir/error.hpp>
#include <coir/event.hpp>

#include "sync/claim.hpp"

namespace coir {

void event::set() {
    waiters_.claim("event::set");
    set_ = true;
    waiters_.wake_all();
}

void event::reset() {
    waiters_.claim("event::reset");
    set_ = false;
}

void event::wait(deadline until) {
    detail::claim(waiters_, "event::wait");
    if (!set_ && !waiters_.wait("event::wait", until)) throw timed_out{"event::wait"};
}

}  // namespace coir
