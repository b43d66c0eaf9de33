#include "thread/detached_work.hpp"

#include <coir/detail/base/scope_exit.hpp>

namespace coir::detail {

bool detached_work::run(const std::shared_ptr<detached_work>& work, const deadline& until) {
    work->alive_ = work;
    {
        const detection_paused queueing{work->home_.running()};
        try {
            thread_pool::of_process().submit(*work);
        } catch (...) {
            work->alive_.reset();
            throw;
        }
    }
    return work->await(until);
}

bool detached_work::await(const deadline& until) {
    waiter me{home_.running(), waits_for_};
    asker_ = &me;
    home_.inbox().expect();
    const scope_exit at_end{[this] {
        home_.inbox().expect_no_more();
        asker_ = nullptr;
        abandon();
    }};
    return home_.park(me, until) == outcome::woken;
}

void detached_work::do_it(pool_work& work) noexcept { static_cast<detached_work&>(work).work(); }

void detached_work::done(pool_work& work) noexcept {  // in a thread of the pool, as the above
    auto& self = static_cast<detached_work&>(work);
    const std::shared_ptr<detached_work> alive = self.alive_;
    const std::lock_guard lock{self.mutex_};
    if (self.abandoned_)
        self.alive_.reset();
    else
        self.home_.inbox().post(self);
}

void detached_work::come_back(message& arrived) noexcept {  // in the hub
    auto& self = static_cast<detached_work&>(arrived);
    const std::shared_ptr<detached_work> alive = std::move(self.alive_);
    if (self.asker_ != nullptr) self.asker_->wake(outcome::woken);
}

/// The scheduler may be gone when the work is done. It is not while this runs, and what has been posted by then still
/// arrives.
void detached_work::abandon() noexcept {
    if (alive_ == nullptr) return;  // it has come back
    const detection_paused queueing{home_.running()};
    if (thread_pool::of_process().withdraw(*this)) {
        alive_.reset();
        return;
    }
    const std::lock_guard lock{mutex_};
    abandoned_ = true;
}

}  // namespace coir::detail
