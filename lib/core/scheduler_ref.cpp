#include <coir/error.hpp>
#include <coir/scheduler_ref.hpp>
#include <exception>
#include <string>

#include "base/log.hpp"
#include "core/scheduler.hpp"

namespace coir {

scheduler_ref::scheduler_ref(const scheduler_ref& other) noexcept : door_{other.door_} {
    if (door_ != nullptr) door_->refer();
}

scheduler_ref::~scheduler_ref() {
    if (door_ != nullptr) door_->let_go();
}

bool scheduler_ref::alive() const noexcept { return door_ != nullptr && door_->is_open(); }

void scheduler_ref::send(detail::posted_call& call) const {
    call.site = __builtin_return_address(0);
    if (door_ == nullptr || !door_->post(call)) throw scheduler_gone{};
}

scheduler_ref this_scheduler() {
    detail::door& known = detail::scheduler::get("this_scheduler").door();
    known.refer();
    return scheduler_ref{known};
}

namespace detail {

door* door_of(const scheduler_ref& known) noexcept { return known.door_; }

void posted_call::begin(letter& arrived) noexcept {
    auto& call = static_cast<posted_call&>(arrived);
    static constexpr closure_ops through_the_pointer{
        [](void* place) {
            const posted_call& made = **static_cast<posted_call**>(place);
            made.ops.run(made.closure);
        },
        [](void* place) noexcept {
            posted_call& made = **static_cast<posted_call**>(place);
            made.destroy(made);
        },
    };
    try {
        scheduler::current()->start_detached(through_the_pointer, &call, call.name, call.stack_bytes, call.site);
    } catch (const std::exception& failure) {
        log::error("a fiber that was posted to this thread could not be made: " + std::string{failure.what()});
        call.destroy(call);
    }
}

}  // namespace detail

}  // namespace coir
