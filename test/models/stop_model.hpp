#pragma once

#include "models/model.hpp"

#include <array>

namespace coir::models::of_stop {

enum kind : int {
    acquire = first_own,
    release,
    sleep,
    yield,
    check,
    is_requested,
    join,
    shielded_then_yield,
    callback
};

class stop_model : public model {
public:
    explicit stop_model(int permits) : permits_{permits} {}

    [[nodiscard]] int state() const override { return called_; }

private:
    enum stage : int { first, second };

    void perform(int fiber) override {
        const operation& what = *at(fiber).doing;
        switch (what.kind) {
        case release: return give(fiber);
        case is_requested: return end(fiber, done_if(at(fiber).stop_requested));
        case sleep: wait(fiber); return;
        case yield:
        case check: return let_others_run(fiber);
        case join: return join_fiber(fiber, what.argument);
        case callback:
            if (at(fiber).stop_requested) ++called_;
            break;
        case shielded_then_yield: at(fiber).shielded = true; break;
        default: break;
        }
        if (take_if_there())
            taken(fiber);
        else
            wait_in(waiters_, fiber);
    }

    void resume(int fiber) override {
        const reason why = at(fiber).why;
        switch (at(fiber).doing->kind) {
        case sleep: return end(fiber, why == reason::time_is_up ? outcome::done : outcome_of(fiber));
        case join: return joined(fiber);
        case shielded_then_yield:
            if (at(fiber).stage == second) break;
            if (why == reason::time_is_up) take_if_there();
            return taken(fiber);
        default:
            if (why == reason::time_is_up && take_if_there()) return end(fiber, outcome::done);
            break;
        }
        end(fiber, outcome_of(fiber));
    }

    void taken(int fiber) {
        if (at(fiber).doing->kind != shielded_then_yield) return end(fiber, outcome::done);
        at(fiber).stage = second;
        at(fiber).shielded = false;
        let_others_run(fiber);
    }

    /// With a stop or an expiry that is due, it throws that.
    void let_others_run(int fiber) { run_on(fiber, due_interruption(fiber).value_or(reason::woken)); }

    void join_fiber(int fiber, int awaited) {
        if (has_left(awaited)) return end(fiber, outcome::done);
        if (!due_interruption(fiber)) {
            if (awaited == fiber) return end(fiber, outcome::already_held);
            if (joiners_[index(awaited)] != none) return end(fiber, outcome::not_permitted);
            joiners_[index(awaited)] = fiber;
        }
        wait(fiber);
    }

    void joined(int fiber) {
        const bool has_ended = at(fiber).why == reason::time_is_up && has_left(at(fiber).doing->argument);
        end(fiber, has_ended ? outcome::done : outcome_of(fiber));
    }

    void give(int fiber) {
        if (waiters_.empty())
            ++permits_;
        else
            wake(waiters_.pop());
        end(fiber, outcome::done);
    }

    bool take_if_there() {
        if (permits_ == 0) return false;
        --permits_;
        return true;
    }

    void on_stop(int fiber) override {
        if (at(fiber).doing != nullptr && at(fiber).doing->kind == callback) ++called_;
    }

    void give_back(int fiber) override {
        if (joiners_[index(fiber)] != none) wake(joiners_[index(fiber)]);
    }

    void withdraw(int fiber) override {
        waiters_.erase(fiber);
        for (int& each : joiners_)
            if (each == fiber) each = none;
    }

    static constexpr int none = -1;
    int permits_;
    int called_ = 0;
    fiber_queue waiters_;
    std::array<int, fibers> joiners_{none, none, none};
};

}  // namespace coir::models::of_stop
