#pragma once

#include "core/scheduler.hpp"

namespace coir::detail {

/// The calling fiber's scheduler, to which the object (an `owner`, or a queue that has one) belongs or comes to belong
/// now: throws `not_in_fiber`, `wrong_scheduler`. Inlined to two comparisons.
template <class Owned> scheduler& claim(Owned& object, const char* operation) {
    scheduler& here = scheduler::get(operation);
    if (!object.belongs_to(here.serial())) [[unlikely]]
        object.claim(here, operation);
    return here;
}

}  // namespace coir::detail
