/// @file
/// fork(2) in a fiber: the child does not inherit the scheduler, which stays in the parent.

#include <coir/detail/core/owner.hpp>
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

constexpr const char* remedy =
    "the fiber's scheduler exists only in the parent. In the child, call exec, _exit or coir::run; "
    "or start the child with coir::process or coir::prefork";

[[noreturn]] void abort_child(const std::string& what) {
    const std::string message = "a process that was forked in a fiber " + what + "; " + remedy;
    COIR_CHECK(scheduler::current() != nullptr, message.c_str());
    std::abort();
}

std::string how_failed(const std::exception_ptr& failure) {
    if (failure == nullptr) return {};
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& thrown) {
        return std::string{" with an exception ("} + thrown.what() + ")";
    } catch (...) {
        return " with an exception";
    }
}

/// Called when the fiber that forked the process ends in the child. There is no other task to run, so it aborts.
struct forked_fiber_end : joiner {
    constexpr forked_fiber_end() noexcept
        : joiner{[](joiner&, task& ended) noexcept {
              abort_child("reached the end of fiber " + describe_fiber(ended) + how_failed(ended.failure));
          }} {}
};

constinit forked_fiber_end end_of_forked_fiber;

}  // namespace

thread_local constinit scheduler* scheduler::parent_scheduler_ = nullptr;

void scheduler::prepare_for_forks() {
    [[maybe_unused]] static const int registered = ::pthread_atfork(nullptr, nullptr, stay_in_parent);
}

/// Runs in the child, on its only thread, within the fiber that called fork(2) and that continues afterwards. Changes
/// the state so that no switch has to check whether the process was forked.
void scheduler::stay_in_parent() noexcept {
    if (current_ == nullptr) return;
    parent_scheduler_ = std::exchange(current_, nullptr);
    virtual_clock::forget();
    task& self = parent_scheduler_->running();
    self.joined_by = &end_of_forked_fiber;
    self.handle_alive = true;        // its failure is not reported to the handler
    parent_scheduler_->budget_ = 0;  // every suspension switches to the hub, which calls check_process
}

/// Called by the hub when a fiber has suspended.
void scheduler::check_process() const noexcept {
    if (current_ != this) [[unlikely]]
        abort_child("suspended that fiber");
}

void scheduler::throw_not_in_fiber(const char* operation, const owner* of) {
    if (of != nullptr && of->is_elsewhere()) of->throw_without_scheduler(operation);
    const std::string called{operation};
    if (parent_scheduler_ == nullptr)
        throw not_in_fiber{called + " was called outside a fiber: call it within coir::run"};
    throw not_in_fiber{called + " was called in a process that was forked in a fiber; " + remedy};
}

}  // namespace coir::detail
