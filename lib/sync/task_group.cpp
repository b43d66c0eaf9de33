#include <coir/detail/core/let_others_run.hpp>
#include <coir/error.hpp>
#include <coir/shield.hpp>
#include <coir/task_group.hpp>

#include "sync/bind_owner.hpp"

#include <utility>
#include <vector>

namespace coir {

namespace detail {

/// One object serves all groups: the member in the closure refers to its group.
struct group_joiner : joiner {
    constexpr group_joiner() noexcept : joiner{[](joiner&, task& ended) noexcept { group_core::on_end(ended); }} {}
};

namespace {
constinit group_joiner the_group_joiner;
}

group_core::~group_core() {
    if (!running_.empty() && all_ended_.is_from_parent_process()) forget_members();
    if (!running_.empty()) {
        request_stop();
        const shield_scope shield;
        while (!running_.empty()) join("~task_group");
    }
    let_go_of_failed();
}

void group_core::take_slot(const char* operation) {
    bind_owner(all_ended_, operation, [this]() noexcept { forget_members(); });
    if (slots_ > 0)
        --slots_;
    else
        static_cast<void>(to_spawn_.wait(operation));  // when it returns, give_slot_back() has handed over a slot
}

void group_core::give_slot_back() noexcept {
    if (to_spawn_.empty())
        ++slots_;
    else
        to_spawn_.wake_one();
}

void group_core::adopt(group_member& member, task& started) {
    member.group = this;
    member.fiber = &started;
    started.joined_by = &the_group_joiner;
    running_.push_back(member);
    if (stopping_) scheduler::current()->request_stop(started);
}

void group_core::on_end(task& ended) noexcept {
    auto& member = *static_cast<group_member*>(ended.closure());
    group_core& group = *member.group;
    member.unlink();
    const bool has_failed = ended.end == task_end::failed;
    if (has_failed && group.on_failure_ == nullptr) {
        group.failed_.push_back(member);
        group.request_stop();
    } else {
        if (has_failed) {
            group.on_failure_(group, ended.failure);
            ended.failure_seen = true;
        }
        ended.handle_alive = false;  // the record is not needed any more: it has no failure left to report
    }
    group.give_slot_back();
    if (group.running_.empty()) group.all_ended_.wake_all();
}

void group_core::request_stop() {
    if (all_ended_.bind_owner("task_group::request_stop")) forget_members();
    if (std::exchange(stopping_, true)) return;
    running_.for_each([](group_member& each) { scheduler::current()->request_stop(*each.fiber); });
}

void group_core::join(const char* operation, const deadline& until) {
    if (!running_.empty() && all_ended_.is_from_parent_process()) forget_members();
    // A loop: a fiber that waited for a slot may spawn a member when the last one has ended.
    while (!running_.empty()) {
        if (!all_ended_.wait(operation, until) && !running_.empty()) throw timed_out{operation};
    }
    let_others_run();
}

/// For a group of a scheduler that has ended or that exists only in the parent process: its members will not end here.
void group_core::forget_members() noexcept {
    running_.for_each([this](const group_member&) { ++slots_; });
    running_.forget();
}

void group_core::rethrow_failures() {
    if (failed_.empty() || failed_.has_one()) return rethrow_first_failure();
    stopping_ = false;
    std::vector<std::exception_ptr> failures;
    failed_.for_each([&](const group_member& each) { failures.push_back(each.fiber->failure); });
    exception_group all{std::move(failures)};
    failed_.for_each([](group_member& each) { each.fiber->failure_seen = true; });
    let_go_of_failed();
    throw all;
}

void group_core::rethrow_first_failure() {
    stopping_ = false;
    group_member* const first = failed_.front();
    if (first == nullptr) return;
    first->fiber->failure_seen = true;
    const std::exception_ptr failure = first->fiber->failure;
    let_go_of_failed();
    std::rethrow_exception(failure);
}

void group_core::let_go_of_failed() noexcept {
    while (group_member* const member = failed_.pop_front()) scheduler::release(*member->fiber);
}

}  // namespace detail

}  // namespace coir
