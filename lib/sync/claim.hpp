#pragma once

#include "core/scheduler.hpp"

namespace coir::detail {

/// The calling fiber's scheduler, to which the object (an `owner`, or a queue that has one) belongs or comes to belong
/// now: throws `not_in_fiber`, `wrong_scheduler`. Inlined to two comparisons. `forget` is called where its last owner is
/// gone, and with that the fibers that the object may still know.
template <class Owned, class F> scheduler& claim(Owned& object, const char* operation, F&& forget) {
    scheduler& here = scheduler::get(operation);
    if (!object.belongs_to(here.serial())) [[unlikely]] {
        if (object.claim(here, operation)) forget();
    }
    return here;
}

template <class Owned> scheduler& claim(Owned& object, const char* operation) {
    return claim(object, operation, []() noexcept {});
}

/// As above, for a fiber that gives back what it holds. nullptr in a forked process that runs no scheduler, when the
/// object was its parent's: there is nobody to give it to.
template <class Owned> scheduler* claim_to_give_back(Owned& object, const char* operation) {
    if (scheduler::current() == nullptr && object.is_inherited()) [[unlikely]]
        return nullptr;
    return &claim(object, operation);
}

}  // namespace coir::detail
