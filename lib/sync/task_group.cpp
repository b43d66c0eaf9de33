#include <coir/error.hpp>
#include <coir/task_group.hpp>
#include <coir/timeout.hpp>

#include "core/scheduler.hpp"

namespace coir::detail {

/// One for all groups: the member in the closure knows its own.
struct group_observer : completion {
    constexpr group_observer() noexcept
        : completion{[](completion&, task& ended) noexcept { group_core::on_end(ended); }} {}
};

namespace {
constinit group_observer observer;
}

group_core::~group_core() {
    if (!running_.empty()) {
        request_stop();
        const shield_scope shield;
        while (!running_.empty()) join("~task_group");
    }
    let_go_of_failed();
}

void group_core::adopt(group_member& member, task& started) {
    member.group = this;
    member.fiber = &started;
    started.observer = &observer;
    running_.push_back(member);
    if (stopping_) scheduler::current()->request_stop(started);
}

void group_core::on_end(task& ended) noexcept {
    auto& member = *static_cast<group_member*>(ended.closure());
    group_core& group = *member.group;
    member.unlink();
    if (ended.end == task_end::failed) {
        group.failed_.push_back(member);
        group.request_stop();
    } else {
        ended.handle_alive = false;  // nobody needs the record any more
    }
    if (group.running_.empty()) group.all_ended_.wake_all();
}

void group_core::request_stop() {
    claim("task_group::request_stop");
    if (std::exchange(stopping_, true)) return;
    running_.for_each([](group_member& each) { scheduler::current()->request_stop(*each.fiber); });
}

void group_core::join(const char* operation, const deadline& until) {
    if (!running_.empty() && !all_ended_.wait(operation, until)) throw timed_out{operation};
}

void group_core::rethrow_failure() {
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

}  // namespace coir::detail
