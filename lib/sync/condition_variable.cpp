#include <coir/condition_variable.hpp>
#include <coir/error.hpp>
#include <coir/timeout.hpp>

namespace coir {

void condition_variable::wait(std::unique_lock<mutex>& lock, deadline until) {
    if (wait_until(lock, until) == std::cv_status::timeout) throw_timed_out();
}

std::cv_status condition_variable::wait_until(std::unique_lock<mutex>& lock, deadline until) {
    struct reacquired {
        std::unique_lock<mutex>& lock;
        ~reacquired() {
            const shield_scope shield;
            lock.lock();
        }
    };
    lock.unlock();  // throws when there is nothing to unlock
    // Nobody runs between the unlock and the wait, so no notification is missed.
    const reacquired at_end{lock};
    return waiters_.wait("condition_variable::wait", until) ? std::cv_status::no_timeout : std::cv_status::timeout;
}

void condition_variable::notify_one() {
    waiters_.claim("condition_variable::notify_one");
    waiters_.wake_one();
}

void condition_variable::notify_all() {
    waiters_.claim("condition_variable::notify_all");
    waiters_.wake_all();
}

void condition_variable::throw_timed_out() { throw timed_out{"condition_variable::wait"}; }

}  // namespace coir
