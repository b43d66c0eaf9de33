#pragma once

#include <coir/detail/owner.hpp>
#include <coir/detail/wait_queue.hpp>

#include "core/scheduler.hpp"

namespace coir::detail {

/// The calling fiber's scheduler, which owns the object or comes to own it now: throws `not_in_fiber`,
/// `wrong_scheduler`. Inlined to two comparisons.
inline scheduler& claim(owner& object, const char* operation) {
    scheduler& here = scheduler::get(operation);
    if (!object.is(here.serial())) [[unlikely]]
        object.claim(here, operation);
    return here;
}

inline scheduler& claim(wait_queue& queue, const char* operation) {
    scheduler& here = scheduler::get(operation);
    if (!queue.belongs_to(here.serial())) [[unlikely]]
        queue.claim(here, operation);
    return here;
}

}  // namespace coir::detail
