#pragma once

#include <coir/sync/semaphore.hpp>

#include "models/model.hpp"
#include "models/subject.hpp"

namespace coir::models::of_semaphore {

enum kind : int { acquire = first_own, try_acquire, try_acquire_until, release, first_more };

class semaphore_model : public model {
public:
    explicit semaphore_model(int permits) : permits_{permits} {}

protected:
    void perform(int fiber) override {
        const operation& what = *at(fiber).doing;
        switch (what.kind) {
        case release: return give(fiber, what.argument);
        case try_acquire: return end(fiber, done_if(take_if_there()));
        default: return take_or_wait(fiber);
        }
    }

    void resume(int fiber) override {
        const bool looks_again = at(fiber).why == reason::time_is_up;
        if (looks_again && take_if_there()) return end(fiber, outcome::done);
        const bool refused = looks_again && at(fiber).doing->kind == try_acquire_until;
        end(fiber, refused ? outcome::refused : outcome_of(fiber));
    }

    void take_or_wait(int fiber) { take_if_there() ? end(fiber, outcome::done) : wait_in(waiters_, fiber); }

    bool take_if_there() {
        if (permits_ == 0) return false;
        --permits_;
        return true;
    }

    void withdraw(int fiber) override { waiters_.erase(fiber); }

    fiber_queue waiters_;

private:
    void give(int fiber, int permits) {
        for (; permits > 0 && !waiters_.empty(); --permits) wake(waiters_.pop());
        permits_ += permits;
        end(fiber, outcome::done);
    }

    int permits_;
};

class real_semaphore : public subject {
public:
    explicit real_semaphore(int permits) : semaphore_{permits} {}

protected:
    outcome perform(int, const operation& what) override {
        const deadline until = deadline_of(what.limit);
        switch (what.kind) {
        case acquire: semaphore_.acquire(until); return outcome::done;
        case try_acquire: return done_if(semaphore_.try_acquire());
        case try_acquire_until: return done_if(semaphore_.try_acquire_until(until));
        default: semaphore_.release(what.argument); return outcome::done;
        }
    }

    counting_semaphore<> semaphore_;
};

}  // namespace coir::models::of_semaphore
