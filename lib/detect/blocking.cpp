#include <coir/blocking.hpp>

#include "core/scheduler.hpp"

namespace coir {

allow_blocking::allow_blocking(const char* /*why*/) noexcept {
    detail::scheduler* const here = detail::scheduler::current();
    fiber_ = here == nullptr ? nullptr : &here->running();
    if (fiber_ != nullptr) ++fiber_->permits;
}

allow_blocking::~allow_blocking() {
    if (fiber_ != nullptr) --fiber_->permits;
}

}  // namespace coir
