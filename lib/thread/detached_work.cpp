#include "thread/detached_work.hpp"

#include <coir/detail/base/scope_exit.hpp>

namespace coir::detail {

bool detached_work::run(const std::shared_ptr<detached_work>& work, const deadline& until) {
    work->alive_ = work;
    {
        const detection_paused queueing{work->home_.running()};
        try {
            thread_pool::of_process(work->lane_).submit(*work);
        } catch (...) {
            work->alive_.reset();
            throw;
        }
    }
    return work->await(until);
}

bool detached_work::await(const deadline& until) {
    waiter me{home_.running(), waits_for_};
    waiting_ = &me;
    const scope_exit at_end{[this] {
        waiting_ = nullptr;
        abandon();
    }};
    const expectation of_the_pool{home_.inbox()};
    if (home_.park(me, until) == outcome::woken) return true;
    // The work may have been done just when the deadline passed; the message is on its way.
    const std::lock_guard lock{mutex_};
    return done_;
}

void detached_work::do_it(pool_work& work) noexcept { static_cast<detached_work&>(work).work(); }

void detached_work::done(pool_work& work) noexcept {  // on a thread of the pool
    auto& self = static_cast<detached_work&>(work);
    const std::shared_ptr<detached_work> alive = self.alive_;
    const std::lock_guard lock{self.mutex_};
    self.done_ = true;
    if (self.abandoned_)
        self.alive_.reset();
    else
        self.home_.inbox().post(self);
}

void detached_work::come_back(message& arrived) noexcept {  // called by the hub
    auto& self = static_cast<detached_work&>(arrived);
    const std::shared_ptr<detached_work> alive = std::move(self.alive_);
    if (self.waiting_ != nullptr) self.waiting_->wake(outcome::woken);
}

/// After this, the work no longer posts to the scheduler, which may end before the work does. A message that was posted
/// before still arrives, since the scheduler runs while this function runs.
void detached_work::abandon() noexcept {
    if (alive_ == nullptr) return;  // the work has already come back
    const detection_paused queueing{home_.running()};
    if (thread_pool::of_process(lane_).abandon(*this)) {
        alive_.reset();
        return;
    }
    const std::lock_guard lock{mutex_};
    abandoned_ = true;
}

}  // namespace coir::detail
