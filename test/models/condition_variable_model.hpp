#pragma once

#include "models/model.hpp"

#include <array>
#include <utility>

namespace coir::models::of_condition_variable {

enum kind : int { lock = first_own, unlock, wait_once, wait_for_flag, notify_one, notify_all, set_flag };

/// All operations but the notifications lock the mutex first, unless the fiber holds it; all but `lock` unlock it at the
/// end. A wait has three stages.
class condition_variable_model : public model {
public:
    [[nodiscard]] int state() const override { return flag_ ? 1 : 0; }

private:
    enum stage : int { locking, waiting, relocking };

    void perform(int fiber) override {
        const int kind = at(fiber).doing->kind;
        limits_[index(fiber)] = std::exchange(at(fiber).until, unlimited);
        if (kind == unlock) return end(fiber, release(fiber));
        if (kind == notify_one || kind == notify_all) {
            notify(kind);
            return end(fiber, outcome::done);
        }
        if (holder_ == fiber) return kind == lock ? end(fiber, outcome::already_held) : locked(fiber);
        if (take(fiber, locking)) locked(fiber);
    }

    void resume(int fiber) override {
        if (at(fiber).stage == waiting) {
            how_waited_[index(fiber)] = outcome_of(fiber);
            at(fiber).shielded = true;
            at(fiber).until = unlimited;
            if (take(fiber, relocking)) relocked(fiber);
        } else if (at(fiber).why != reason::woken) {
            end(fiber, outcome_of(fiber));
        } else {
            at(fiber).stage == locking ? locked(fiber) : relocked(fiber);
        }
    }

    void locked(int fiber) {
        const operation& what = *at(fiber).doing;
        switch (what.kind) {
        case lock: return end(fiber, outcome::done);
        case wait_once: return park(fiber);
        case wait_for_flag: return flag_ ? take_flag(fiber) : park(fiber);
        default:
            flag_ = true;
            notify(what.argument);
            unlock_and_end(fiber, outcome::done);
        }
    }

    void park(int fiber) {
        release(fiber);
        at(fiber).stage = waiting;
        at(fiber).shielded = at(fiber).doing->shielded;
        at(fiber).until = limits_[index(fiber)];
        wait_in(waiters_, fiber);
    }

    void relocked(int fiber) {
        const outcome how = how_waited_[index(fiber)];
        const bool was_interrupted = how != outcome::done && how != outcome::timed_out;
        if (at(fiber).doing->kind == wait_once || was_interrupted) return unlock_and_end(fiber, how);
        if (flag_) return take_flag(fiber);
        const int until = limits_[index(fiber)];
        const bool time_is_up = how == outcome::timed_out || (until != unlimited && until <= now());
        time_is_up ? unlock_and_end(fiber, outcome::refused) : park(fiber);
    }

    void take_flag(int fiber) {
        flag_ = false;
        unlock_and_end(fiber, outcome::done);
    }

    void notify(int kind) {
        if (kind == notify_one && !waiters_.empty()) wake(waiters_.pop());
        while (kind == notify_all && !waiters_.empty()) wake(waiters_.pop());
    }

    /// Returns false if the fiber has to wait for the mutex.
    bool take(int fiber, stage now_in) {
        at(fiber).stage = now_in;
        if (holder_ == none) {
            holder_ = fiber;
            return true;
        }
        wait_in(lockers_, fiber);
        return false;
    }

    outcome release(int fiber) {
        if (holder_ != fiber) return outcome::not_permitted;
        holder_ = lockers_.empty() ? none : lockers_.pop();
        if (holder_ != none) wake(holder_);
        return outcome::done;
    }

    void unlock_and_end(int fiber, outcome how) {
        release(fiber);
        end(fiber, how);
    }

    void withdraw(int fiber) override {
        lockers_.erase(fiber);
        waiters_.erase(fiber);
    }
    void give_back(int fiber) override { release(fiber); }

    static constexpr int none = -1;
    int holder_ = none;
    bool flag_ = false;
    fiber_queue lockers_;
    fiber_queue waiters_;
    std::array<int, fibers> limits_{};
    std::array<outcome, fibers> how_waited_{};
};

}  // namespace coir::models::of_condition_variable
