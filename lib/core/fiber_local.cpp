#include <coir/fiber_local.hpp>

#include "core/scheduler.hpp"
#include "core/task/local_values.hpp"

#include <atomic>

namespace coir::detail {

std::uint64_t number_of_new_local() noexcept {
    static constinit std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void* find_local(std::uint64_t variable) {
    const local_values* const known = scheduler::get("fiber_local").running().locals;
    if (known == nullptr) return nullptr;
    for (const local_values::value& each : known->values) {
        if (each.variable == variable) return each.object;
    }
    return nullptr;
}

void add_local(std::uint64_t variable, void* value, void (*destroy)(void*) noexcept) {
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
