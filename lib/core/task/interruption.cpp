// How a stop, and the end of a scope's time, reach a fiber.

#include <coir/error.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "core/task/task_dump.hpp"

#include <cstdint>
#include <string>

namespace coir::detail {

namespace {

constexpr std::uint16_t interruptions_in_a_row = 1000;  // before a fiber that ignores its stop is named

}  // namespace

void scheduler::request_stop(task& who) {
    if (who.state == task_state::ended || who.stop_requested) return;
    who.stop_requested = who.attention = true;
    interrupt(who);
    if (who.stop == nullptr) return;
    task& self = running();
    ++callbacks_running_;
    self.attention = true;  // so that a suspension of a callback is noticed
    who.stop->request_stop();
    --callbacks_running_;
}

void scheduler::deliver(const char* operation) {
    task& self = running();
    COIR_CHECK(callbacks_running_ == 0, "a stop callback suspends: it runs inside request_stop and must not");
    const auto uncaught = static_cast<int>(exceptions_->uncaught);
    // It may throw, and so waits like a stop for shields to be left and unwinding to end.
    const bool may_throw = self.shields == 0 && uncaught == 0;
    if (may_throw && status_.pending.load(std::memory_order_relaxed)) status_.on_pending(status_);
    const interruption due = self.due(uncaught);
    if (!due) {
        self.attention = self.has_pending_interruption();
        return;
    }
    // Others run first, or a loop that catches what is thrown here would keep the thread for itself.
    yield();
    if (++self.interrupted_in_a_row == interruptions_in_a_row) {
        log::warning("fiber " + describe_fiber(self) + " goes on although it is to stop: " + operation +
                     " has thrown " + std::to_string(interruptions_in_a_row) + " times in a row");
        self.interrupted_in_a_row = 0;
    }
    throw_interruption(due);
}

void scheduler::throw_interruption(const interruption& what) {
    if (what.stop) throw cancelled{};
    COIR_CHECK(what.expired != nullptr, "a wait was interrupted and nothing is due");
    throw scope_expired{*what.expired};
}

}  // namespace coir::detail
