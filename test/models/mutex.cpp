#include <coir/sync/mutex.hpp>

#include "models/primitive.hpp"

#include <array>
#include <utility>

namespace coir::models {

namespace of_mutex {

enum kind : int { lock = first_own, try_lock, try_lock_until, unlock, unlock_if_held };

constexpr operation table[] = {
    {.name = "lock", .kind = lock, .weight = 6},
    {.name = "lock", .kind = lock, .limit = 0},
    {.name = "lock", .kind = lock, .limit = 3, .weight = 3},
    {.name = "lock", .kind = lock, .limit = 5},
    {.name = "lock", .kind = lock, .limit = 3, .shielded = true},
    {.name = "lock", .kind = lock, .outer = 3},
    {.name = "try_lock", .kind = try_lock, .weight = 2},
    {.name = "try_lock_until", .kind = try_lock_until, .limit = 0},
    {.name = "try_lock_until", .kind = try_lock_until, .limit = 3, .weight = 2},
    {.name = "unlock", .kind = unlock},
    {.name = "unlock if held", .kind = unlock_if_held, .weight = 8},
    {.name = "unlock if held", .kind = unlock_if_held, .weight = 3, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0},
    {.name = "request_stop", .kind = request_stop, .argument = 1},
    {.name = "request_stop", .kind = request_stop, .argument = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .delay = 1},
};

class mutex_model : public model {
    void perform(int fiber) override {
        switch (at(fiber).doing->kind) {
        case unlock: return end(fiber, release(fiber));
        case unlock_if_held: return end(fiber, done_if(release(fiber) == outcome::done));
        case try_lock: return end(fiber, done_if(take_if_free(fiber)));
        case lock:
        case try_lock_until:
            if (take_if_free(fiber)) return end(fiber, outcome::done);
            if (holder_ == fiber) return end(fiber, outcome::already_held);
            return wait_in(waiters_, fiber);
        default: break;
        }
    }

    void resume(int fiber) override {
        const bool looks_again = at(fiber).why == reason::time_is_up;
        if (looks_again && take_if_free(fiber)) return end(fiber, outcome::done);
        const bool refused = looks_again && at(fiber).doing->kind == try_lock_until;
        end(fiber, refused ? outcome::refused : outcome_of(fiber));
    }

    outcome release(int fiber) {
        if (holder_ != fiber) return outcome::not_permitted;
        holder_ = waiters_.empty() ? none : waiters_.pop();
        if (holder_ != none) wake(holder_);
        return outcome::done;
    }

    bool take_if_free(int fiber) {
        if (holder_ != none) return false;
        holder_ = fiber;
        return true;
    }

    void withdraw(int fiber) override { waiters_.erase(fiber); }
    void give_back(int fiber) override { release(fiber); }

    static constexpr int none = -1;
    int holder_ = none;
    fiber_queue waiters_;
};

class real_mutex : public subject {
    outcome perform(int fiber, const operation& what) override {
        const deadline until = deadline_of(what.limit);
        bool& holds = holds_[index(fiber)];
        switch (what.kind) {
        case unlock: mutex_.unlock(); break;
        case unlock_if_held: return done_if(unlock_held(fiber));
        case try_lock: return done_if(keep(holds, mutex_.try_lock()));
        case try_lock_until: return done_if(keep(holds, mutex_.try_lock_until(until)));
        default: mutex_.lock(until); break;
        }
        holds = what.kind == lock;
        return outcome::done;
    }

    static bool keep(bool& holds, bool locked) {
        holds = holds || locked;
        return locked;
    }

    bool unlock_held(int fiber) {
        const bool held = std::exchange(holds_[index(fiber)], false);
        if (held) mutex_.unlock();
        return held;
    }

    void give_back(int fiber) override { unlock_held(fiber); }

    mutex mutex_;
    std::array<bool, fibers> holds_{};
};

}  // namespace of_mutex

const primitive mutexes{"mutex",
                        of_mutex::table,
                        1,
                        make_subject<of_mutex::real_mutex>,
                        make_model<of_mutex::mutex_model>,
                        of_mutex::unlock_if_held};

}  // namespace coir::models
