#pragma once

#include "models/model.hpp"
#include "models/operation.hpp"
#include "models/subject.hpp"

#include <memory>
#include <span>
#include <type_traits>

namespace coir::models {

/// A primitive under test: its operations, the real one and the model.
struct primitive {
    const char* name;
    std::span<const operation> operations;
    int setups;
    std::unique_ptr<subject> (*make_subject)(int setup, fiber_list& all);
    std::unique_ptr<model> (*make_model)(int setup);
    /// For a self-test: calls of this kind are lost if both other fibers wait.
    int lost = 0;
};

template <class T, class... Optional> auto make_with(int setup, Optional&... all) {
    if constexpr (std::is_constructible_v<T, int, Optional&...>)
        return std::make_unique<T>(setup, all...);
    else if constexpr (std::is_constructible_v<T, int>)
        return std::make_unique<T>(setup);
    else
        return std::make_unique<T>();
}
template <class T> std::unique_ptr<subject> make_subject(int setup, fiber_list& all) {
    return make_with<T>(setup, all);
}
template <class T> std::unique_ptr<model> make_model(int setup) { return make_with<T>(setup); }

std::span<const primitive* const> all_primitives();

extern const primitive mutexes, condition_variables, semaphores, channels, selects, stops, time_outs;

}  // namespace coir::models
