// What a child of fork(2) finds of the scheduler whose fiber has forked it: nothing. The scheduler stays in the parent.

#include <coir/error.hpp>

#include "core/scheduler.hpp"
#include "core/task/task_dump.hpp"

#include <cstdlib>
#include <exception>
#include <pthread.h>
#include <string>
#include <utility>

namespace coir::detail {

namespace {

constexpr const char* way_out =
    "its scheduler has stayed in the parent. End a forked process by exec or _exit, or have "
    "it call coir::run; or start it by coir::process or coir::prefork";

[[noreturn]] void abort_child(const std::string& what) {
    const std::string message = "a process that was forked in a fiber " + what + ", and " + way_out;
    COIR_CHECK(scheduler::current() != nullptr, message.c_str());
    std::abort();
}

std::string how_failed(const std::exception_ptr& failure) {
    if (failure == nullptr) return {};
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& thrown) {
        return std::string{" by an exception ("} + thrown.what() + ")";
    } catch (...) {
        return " by an exception";
    }
}

/// Of the fiber that has forked the process: there is nothing to run after it.
struct last_end : joiner {
    constexpr last_end() noexcept
        : joiner{[](joiner&, task& ended) noexcept {
              abort_child("comes to the end of fiber " + describe_fiber(ended) + how_failed(ended.failure));
          }} {}
};

constinit last_end end_of_forked_fiber;

}  // namespace

thread_local constinit scheduler* scheduler::parents_ = nullptr;

void scheduler::prepare_for_forks() {
    [[maybe_unused]] static const int from_now = ::pthread_atfork(nullptr, nullptr, stay_in_parent);
}

/// In the child, whose only thread this is; in the middle of a fiber, which goes on. Marks what there is, and no more:
/// no switch asks whether the process is another one.
void scheduler::stay_in_parent() noexcept {
    if (current_ == nullptr) return;
    parents_ = std::exchange(current_, nullptr);
    virtual_clock::forget();
    task& self = parents_->running();
    self.joined_by = &end_of_forked_fiber;
    self.handle_alive = true;  // nobody is told of its failure
    parents_->budget_ = 0;     // whatever suspends it goes to the hub
}

/// The hub, after a fiber.
void scheduler::check_process() const noexcept {
    if (current_ != this) [[unlikely]]
        abort_child("suspends it");
}

void scheduler::throw_not_in_fiber(const char* operation) {
    const std::string called{operation};
    if (parents_ == nullptr) throw not_in_fiber{called + " was called outside a fiber: call it within coir::run"};
    throw not_in_fiber{called + " was called in a process that was forked in a fiber, and " + way_out};
}

}  // namespace coir::detail
