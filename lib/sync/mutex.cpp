#include <coir/error.hpp>
#include <coir/mutex.hpp>

#include "core/scheduler.hpp"

namespace coir {

using detail::scheduler;
using detail::task;

namespace {

[[noreturn, gnu::cold]] void throw_misuse(std::errc what, const char* operation) {
    throw std::system_error{std::make_error_code(what), operation};
}

}  // namespace

void mutex::lock(deadline until) {
    const scheduler& here = scheduler::get("mutex::lock");
    waiters_.claim(here, "mutex::lock");
    task& self = here.running();
    if (holder_ == nullptr) {
        holder_ = &self;
        return;
    }
    if (holder_ == &self) throw_misuse(std::errc::resource_deadlock_would_occur, "mutex::lock");
    if (!waiters_.wait("mutex::lock", until)) throw timed_out{"mutex::lock"};
}  // woken: unlock() has made this fiber the holder

bool mutex::try_lock() {
    const scheduler& here = scheduler::get("mutex::try_lock");
    waiters_.claim(here, "mutex::try_lock");
    if (holder_ != nullptr) return false;
    holder_ = &here.running();
    return true;
}

void mutex::unlock() {
    const scheduler& here = scheduler::get("mutex::unlock");
    waiters_.claim(here, "mutex::unlock");
    if (holder_ != &here.running()) throw_misuse(std::errc::operation_not_permitted, "mutex::unlock");
    holder_ = waiters_.wake_one();
}

}  // namespace coir
