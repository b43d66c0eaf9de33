#include <coir/detail/sync/event_count.hpp>
#include <coir/error.hpp>

#include "sync/parker.hpp"

namespace coir::detail {

event_count::event_count() noexcept = default;

event_count::~event_count() {
    COIR_CHECK(parkers_.empty() || made_in_.is_from_parent_process(),
               "concurrent_channel: destroyed while a fiber or thread waits on it; stop and join it first");
}

void event_count::wake_one() noexcept {
    parker* first = nullptr;
    {
        const internal_lock_guard held{mutex_};
        first = parkers_.pop_front();
        if (first == nullptr) return;
        count_.fetch_sub(1);
    }
    first->wake();
}

void event_count::wake_all() noexcept {
    for (std::size_t left = count_.load(); left > 0; --left) wake_one();
}

void event_count::wait(const char* operation, const deadline& until, question attempt) {
    for (bool woken = false;; woken = true) {
        any_parker me{operation};
        // A waiter that lost the race is put back at the front of the queue.
        if (woken)
            enter_first(me);
        else
            enter(me);
        if (attempt()) {
            if (!leave(me)) me.sleep_until_woken();
            return;
        }
        bool in_time = false;
        try {
            in_time = me.sleep(until);
        } catch (...) {
            if (leave(me)) throw;
            me.sleep_until_woken();
            if (attempt()) return;  // the stop or expiry is thrown at the next suspension
            throw;
        }
        if (!in_time && !leave(me)) me.sleep_until_woken();
        if (attempt()) return;
        if (!in_time || until.has_passed()) throw timed_out{operation};
    }
}

void event_count::enter(parker& last) {
    const internal_lock_guard held{mutex_};
    parkers_.push_back(last);
    count_.fetch_add(1);
}

void event_count::enter_first(parker& one) {
    const internal_lock_guard held{mutex_};
    parkers_.push_front(one);
    count_.fetch_add(1);
}

bool event_count::leave(parker& one) noexcept {
    const internal_lock_guard held{mutex_};
    if (!one.is_linked()) return false;
    one.unlink();
    count_.fetch_sub(1);
    return true;
}

}  // namespace coir::detail
