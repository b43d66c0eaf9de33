#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace coir::detail {

/// The values of the `fiber_local` variables that one fiber has used.
struct local_values {
    struct value {
        std::uint64_t variable;
        void* object;
        void (*destroy)(void*) noexcept;
    };
    std::vector<value> values;
};

/// Destroys the values in the reverse order of their creation. A destructor may use other variables; their values are
/// then created again and destroyed afterwards.
inline void destroy_local_values(local_values*& of) noexcept {
    while (of != nullptr) {
        const std::unique_ptr<local_values> ending{std::exchange(of, nullptr)};
        while (!ending->values.empty()) {
            const local_values::value last = ending->values.back();
            ending->values.pop_back();
            last.destroy(last.object);
        }
    }
}

}  // namespace coir::detail
