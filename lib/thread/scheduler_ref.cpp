#include <coir/error.hpp>
#include <coir/thread/scheduler_ref.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"

#include <exception>
#include <utility>

namespace coir {

scheduler_ref::scheduler_ref(const scheduler_ref& other) noexcept : gate_{other.gate_} {
    if (gate_ != nullptr) gate_->refer();
}

scheduler_ref::~scheduler_ref() {
    if (gate_ != nullptr) gate_->let_go();
}

bool scheduler_ref::alive() const noexcept { return gate_ != nullptr && gate_->is_open(); }

void scheduler_ref::send(detail::posted_call& call) const {
    call.site = __builtin_return_address(0);
    if (gate_ == nullptr || !gate_->post_call(call)) throw scheduler_gone{};
}

scheduler_ref this_scheduler() {
    detail::gate& known = detail::scheduler::get("this_scheduler").gate();
    known.refer();
    return scheduler_ref{known};
}

namespace detail {

gate* gate_of(const scheduler_ref& known) noexcept { return known.gate_; }

void posted_call::begin(message& arrived) noexcept {
    auto& call = static_cast<posted_call&>(arrived);
    static constexpr closure_ops through_the_pointer{
        [](void* memory) {
            posted_call& made = **static_cast<posted_call**>(memory);
            made.count_begin();
            made.ops.run(made.closure);
        },
        [](void* memory) noexcept {
            posted_call& made = **static_cast<posted_call**>(memory);
            made.count_begin();  // of a fiber that got no stack
            made.destroy(made);
        },
    };
    try {
        scheduler::current()->start_detached(through_the_pointer, &call, call.name, call.stack_bytes, call.site);
    } catch (const std::exception& failure) {
        log::write_joined(log_level::error, {"cannot start a fiber that another thread posted: ", failure.what()});
        call.count_begin();
        call.destroy(call);
    }
}

void posted_call::count_begin() noexcept {
    if (!std::exchange(has_begun_, true)) scheduler::current()->inbox().call_has_begun();
}

}  // namespace detail

}  // namespace coir
