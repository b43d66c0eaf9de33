/// @file
/// How a stop and an expired timeout scope interrupt a fiber.

#include <coir/error.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "core/task/task_dump.hpp"
#include "core/task/task_stack.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace coir::detail {

namespace {

/// A fiber that ignores interruptions is logged after so many in a row, then after twice as many, and so on.
constexpr std::uint16_t first_logged = 1000;

bool is_logged(std::uint16_t in_a_row) noexcept {
    return in_a_row % first_logged == 0 && std::has_single_bit(static_cast<unsigned>(in_a_row / first_logged));
}

/// ", in f() at file:line"; empty if that is not known.
std::string innermost_function(task& running) {
    const detection_paused reading_symbols{running};
    const std::vector<std::string> functions = describe_stack(stack_of(running, true));
    return functions.empty() ? "" : ", in " + functions.front();
}

}  // namespace

void scheduler::request_stop(task& fiber) {
    if (fiber.state == task_state::ended || fiber.stop_requested) return;
    fiber.stop_requested = fiber.attention = true;
    interrupt(fiber);
    if (fiber.stop == nullptr) return;
    task& self = running();
    ++callbacks_running_;
    self.attention = true;  // makes a suspension inside a callback call `deliver`, which checks for it
    fiber.stop->request_stop();
    --callbacks_running_;
}

void scheduler::deliver(const char* operation) {
    task& self = running();
    COIR_CHECK(callbacks_running_ == 0, "a stop callback suspends, but must not: it runs inside request_stop");
    const auto uncaught = static_cast<int>(exceptions_->uncaught);
    // `on_pending` may throw. Like a stop it therefore waits until no shield is open and no exception is in flight.
    const bool may_throw = self.shields == 0 && uncaught == 0;
    if (may_throw && status_.pending.load(std::memory_order_relaxed)) status_.on_pending(status_);
    const interruption due = self.due(uncaught);
    if (!due) {
        self.attention = self.has_pending_interruption();
        return;
    }
    // Other fibers run first: otherwise a loop that catches this exception would never yield the thread.
    yield();
    if (self.interrupted_in_a_row < UINT16_MAX && is_logged(++self.interrupted_in_a_row)) {
        log::warning("fiber " + describe_fiber(self) + " ignores a stop or an expired timeout: " + operation +
                     " has thrown " + std::to_string(self.interrupted_in_a_row) + " times in a row" +
                     innermost_function(self) + "; do not swallow coir::cancelled and coir::scope_expired");
    }
    throw_interruption(due);
}

void scheduler::throw_interruption(const interruption& what) {
    if (what.stop) throw cancelled{};
    COIR_CHECK(what.expired != nullptr, "scheduler: a wait was interrupted, but no stop and no expired scope is due");
    throw scope_expired{*what.expired};
}

}  // namespace coir::detail
