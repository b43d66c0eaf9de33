#include <coir/detail/core/let_others_run.hpp>
#include <coir/this_fiber.hpp>

#include "core/scheduler.hpp"

namespace coir {

void detail::let_others_run() noexcept {
    if (scheduler* const here = scheduler::current()) here->yield_if_due();
}

namespace this_fiber {

using detail::scheduler;
using detail::task;

void yield() { scheduler::enter("this_fiber::yield").yield(); }

void sleep_until(deadline until) {
    scheduler& here = scheduler::enter("this_fiber::sleep_until");
    detail::waiter me{here.running(), "sleep"};
    here.park(me, until);
}

std::uint64_t id() { return scheduler::get("this_fiber::id").running().id; }

std::string_view name() {
    const task& self = scheduler::get("this_fiber::name").running();
    return self.name == nullptr ? std::string_view{} : std::string_view{self.name, self.name_bytes};
}

std::stop_token stop_token() {
    task& self = scheduler::get("this_fiber::stop_token").running();
    if (self.stop == nullptr) {
        self.stop = new std::stop_source;
        if (self.stop_requested) self.stop->request_stop();
    }
    return self.stop->get_token();
}

void throw_if_stopped() { scheduler::enter("this_fiber::throw_if_stopped"); }

std::size_t stack_remaining() {
    const task& self = scheduler::get("this_fiber::stack_remaining").running();
    const auto* const bottom = static_cast<const std::byte*>(self.stack.sp) - self.stack.size;
    return static_cast<std::size_t>(static_cast<const std::byte*>(__builtin_frame_address(0)) - bottom);
}

bool in_fiber() noexcept { return scheduler::current() != nullptr; }

}  // namespace this_fiber

}  // namespace coir
