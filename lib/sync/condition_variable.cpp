#include <coir/error.hpp>
#include <coir/sync/condition_variable.hpp>

namespace coir {

std::cv_status condition_variable::park(const deadline& until) {
    return waiters_.wait("condition_variable::wait", until) ? std::cv_status::no_timeout : std::cv_status::timeout;
}

void condition_variable::notify_one() {
    waiters_.bind_owner("condition_variable::notify_one");
    waiters_.wake_one();
}

void condition_variable::notify_all() {
    waiters_.bind_owner("condition_variable::notify_all");
    waiters_.wake_all();
}

void condition_variable::throw_timed_out() { throw timed_out{"condition_variable::wait"}; }

}  // namespace coir
