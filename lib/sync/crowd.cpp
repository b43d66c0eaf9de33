#include <coir/detail/crowd.hpp>
#include <coir/error.hpp>

#include "base/fork_count.hpp"
#include "sync/sleeper.hpp"

namespace coir::detail {

crowd::crowd() noexcept : made_after_{fork_count()} {}

crowd::~crowd() {
    COIR_CHECK(sleepers_.empty() || made_after_ != fork_count(),
               "a concurrent_channel is destroyed while somebody waits on it");
}

void crowd::wake_one() noexcept {
    sleeper* first = nullptr;
    {
        const moment held{mutex_};
        first = sleepers_.pop_front();
        if (first == nullptr) return;
        count_.fetch_sub(1);
    }
    first->wake();
}

void crowd::wake_all() noexcept {
    for (std::size_t left = count_.load(); left > 0; --left) wake_one();
}

void crowd::wait(const char* operation, const deadline& until, question attempt) {
    for (bool woken = false;; woken = true) {
        any_sleeper me{operation};
        // Whom a value has slipped away from keeps his place.
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
            if (attempt()) return;  // what was to be thrown is thrown at the next suspension
            throw;
        }
        if (!in_time && !leave(me)) me.sleep_until_woken();
        if (attempt()) return;
        if (!in_time) throw timed_out{operation};
    }
}

void crowd::enter(sleeper& last) {
    const moment held{mutex_};
    sleepers_.push_back(last);
    count_.fetch_add(1);
}

void crowd::enter_first(sleeper& one) {
    const moment held{mutex_};
    sleepers_.push_front(one);
    count_.fetch_add(1);
}

bool crowd::leave(sleeper& one) noexcept {
    const moment held{mutex_};
    if (!one.is_linked()) return false;
    one.unlink();
    count_.fetch_sub(1);
    return true;
}

}  // namespace coir::detail
