#pragma once

#include <coir/detail/core/owner.hpp>

#include "core/scheduler.hpp"

namespace coir::detail {

/// The rare path of `bind_owner`, kept out of line.
template <class Owned, class F>
[[gnu::noinline, gnu::cold]] scheduler& bind_owner_slowly(Owned& object, const char* operation, F forget) {
    scheduler& here = scheduler::get(operation, &static_cast<const owner&>(object));
    if (object.bind_owner(here, operation)) forget();
    return here;
}

/// Binds the object (an `owner`, or a queue that has one) to the calling fiber's scheduler, which it returns. Throws
/// `not_in_fiber`, and `wrong_scheduler` if the object belongs to another scheduler. Calls `forget` if the object had
/// another owner that has ended: the object must then drop its references to fibers of that scheduler. The common case
/// is inlined to two comparisons.
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

/// Like `bind_owner`, for a fiber that releases what it holds. Returns nullptr in a forked process without a scheduler,
/// if the object belongs to a scheduler of the parent: there is then nothing to release.
template <class Owned> scheduler* bind_owner_to_release(Owned& object, const char* operation) {
    scheduler* const here = scheduler::current();
    if (here == nullptr || !object.belongs_to(here->serial())) [[unlikely]]
        return bind_owner_to_release_slowly(object, operation);
    return here;
}

}  // namespace coir::detail
