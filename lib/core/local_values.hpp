#pragma once

#include <utility>
#include <vector>

namespace coir::detail {

/// The values of the `fiber_local` variables that one fiber has touched.
struct local_values {
    struct value {
        const void* variable;
        void* object;
        void (*destroy)(void*) noexcept;
    };
    std::vector<value> values;
};

/// Destroys the values, the last made first. A destructor may touch other variables, which are then made anew and
/// destroyed after.
inline void destroy_local_values(local_values* of) noexcept {
    while (!of->values.empty()) {
        const local_values::value last = of->values.back();
        of->values.pop_back();
        last.destroy(last.object);
    }
    delete of;
}

}  // namespace coir::detail
