#include "models/checked_run.hpp"

#include <coir/shield.hpp>
#include <coir/this_fiber.hpp>

namespace coir::models {

checked_run::checked_run(const primitive& of, const program& running, bool loses_calls)
    : primitive_{of}, program_{running}, loses_calls_{loses_calls}, subject_{of.make_subject(running.setup, fibers_)},
      model_{of.make_model(running.setup)} {
    model_->real = &ended_;
}

std::optional<difference> checked_run::run(const schedule& order) {
    for (int each = 0; each < fibers; ++each) fibers_[index(each)] = spawn([this, each] { run_fiber(each); });
    this_fiber::yield();  // now all wait for their turns
    run_steps(order);
    end_fibers();
    return found_;
}

void checked_run::run_steps(const schedule& order) {
    for (step_ = 0; step_ < order.size() && !found_; ++step_) {
        ++at(order[step_]).saved_turns;
        if (!begin_next()) pass_tick();
        begin_all();
    }
    finish();
}

/// Each fiber gets a turn to leave. Then limits end. Fibers that still wait are stopped, one by one.
void checked_run::finish() {
    constexpr int ticks_of_longest_limit = 4;
    for (party& each : parties_) ++each.saved_turns;
    begin_all();
    for (int tick = 0; tick < ticks_of_longest_limit && !found_; ++tick) {
        pass_tick();
        begin_all();
    }
    for (int each = 0; each < fibers && !found_; ++each) {
        if (!model_->has_left(each)) stop(each);
        begin_all();
    }
    while (!model_->have_all_left() && !found_) {  // shielded waits have limits
        pass_tick();
        begin_all();
    }
}

void checked_run::begin_all() {
    while (begin_next()) {
    }
}

/// Begins one operation, of the first fiber that has a turn and is in no operation.
bool checked_run::begin_next() {
    if (found_) return false;
    for (int each = 0; each < fibers; ++each) {
        if (at(each).saved_turns == 0 || !model_->is_idle(each)) continue;
        begin(each);
        return true;
    }
    return false;
}

void checked_run::begin(int fiber) {
    const operation& next = next_of(fiber);
    --at(fiber).saved_turns;
    at(fiber).turns.wake_one();
    this_fiber::sleep_for(2 * half_tick);
    model_->begin(fiber, next);
    model_->pass_tick();
    compare();
}

const operation& checked_run::next_of(int fiber) const {
    const std::size_t begun = at(fiber).begun;
    return begun == operations_each ? leaving : *program_.operations[index(fiber)][begun];
}

void checked_run::pass_tick() {
    this_fiber::sleep_for(2 * half_tick);
    model_->pass_tick();
    compare();
}

void checked_run::stop(int fiber) {
    fibers_[index(fiber)].request_stop();
    this_fiber::sleep_for(2 * half_tick);
    model_->stop(fiber);
    model_->pass_tick();
    compare();
}

void checked_run::compare() {
    if (ended_ == model_->ended() && subject_->state() == model_->state()) return;
    found_ = difference{model_->ended(), ended_, model_->state(), subject_->state(), step_};
}

void checked_run::run_fiber(int fiber) {
    party& me = at(fiber);
    while (me.begun <= operations_each && await_turn(me)) {
        const operation& next = next_of(fiber);
        ++me.begun;
        ++in_operation_;
        const outcome how = perform(fiber, next);
        --in_operation_;
        ended_.add(fiber, how);
    }
    if (over_) subject_->give_back(fiber);
}

/// Returns false if the run is over.
bool checked_run::await_turn(party& me) {
    if (over_) return false;
    const shield_scope waiting;
    me.turns.wait();
    return !over_;
}

outcome checked_run::perform(int fiber, const operation& what) {
    const bool lost = loses_calls_ && what.kind == primitive_.lost && in_operation_ == fibers;
    if (lost) return outcome::done;
    return outcome_of_call(what, [&] {
        switch (what.kind) {
        case leave: subject_->give_back(fiber); return outcome::done;
        case request_stop: fibers_[index(what.argument)].request_stop(); return outcome::done;
        default: return subject_->perform(fiber, what);
        }
    });
}

/// Without a difference, all have ended.
void checked_run::end_fibers() {
    if (found_) {
        over_ = true;
        for (party& each : parties_) each.turns.wake_one();
        for (auto& each : fibers_) each.request_stop();
        this_fiber::sleep_for(100 * half_tick);
    }
    for (auto& each : fibers_) each.join();
}

}  // namespace coir::models
