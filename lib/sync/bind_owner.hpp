#pragma once

#include "core/scheduler.hpp"

namespace coir::detail {

/// The rest of the functions below: rare, and out of their way.
template <class Owned, class F>
[[gnu::noinline, gnu::cold]] scheduler& bind_owner_slowly(Owned& object, const char* operation, F forget) {
    scheduler& here = scheduler::get(operation);
    if (object.bind_owner(here, operation)) forget();
    return here;
}

/// The calling fiber's scheduler, to which the object (an `owner`, or a queue that has one) belongs or comes to belong
/// now: throws `not_in_fiber`, `wrong_scheduler`. Inlined to two comparisons. `forget` is called where its last owner
/// is gone, and with that the fibers that the object may still know.
template <class Owned, class F> scheduler& bind_owner(Owned& object, const char* operation, F forget) {
    scheduler* const here = scheduler::current();
    if (here == nullptr || !object.belongs_to(here->serial())) [[unlikely]]
        return bind_owner_slowly(object, operation, forget);
    return *here;
}

template <class Owned> scheduler& bind_owner(Owned& object, const char* operation) {
    return bind_owner(object, operation, []() noexcept {});
}

template <class Owned>
[[gnu::noinline, gnu::cold]] scheduler* bind_owner_to_release_slowly(Owned& object, const char* operation) {
    if (scheduler::current() == nullptr && object.is_from_parent_process()) return nullptr;
    return &bind_owner(object, operation);
}

/// As above, for a fiber that gives back what it holds. nullptr in a forked process that runs no scheduler, when the
/// object was its parent's: there is nobody to give it to.
template <class Owned> scheduler* bind_owner_to_release(Owned& object, const char* operation) {
    scheduler* const here = scheduler::current();
    if (here == nullptr || !object.belongs_to(here->serial())) [[unlikely]]
        return bind_owner_to_release_slowly(object, operation);
    return here;
}

}  // namespace coir::detail
