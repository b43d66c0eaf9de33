#include <coir/fiber_local.hpp>

#include "core/scheduler.hpp"
#include "core/task/local_values.hpp"

namespace coir::detail {

void* find_local(const void* variable) {
    const local_values* const known = scheduler::get("fiber_local").running().locals;
    if (known == nullptr) return nullptr;
    for (const local_values::value& each : known->values) {
        if (each.variable == variable) return each.object;
    }
    return nullptr;
}

void add_local(const void* variable, void* value, void (*destroy)(void*) noexcept) {
    try {
        task& self = scheduler::current()->running();
        if (self.locals == nullptr) self.locals = new local_values;
        self.locals->values.push_back({variable, value, destroy});
    } catch (...) {
        destroy(value);
        throw;
    }
}

}  // namespace coir::detail
