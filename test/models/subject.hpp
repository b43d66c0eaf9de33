#pragma once

#include <coir/deadline.hpp>
#include <coir/fiber.hpp>

#include "models/operation.hpp"

#include <array>
#include <chrono>
#include <functional>

namespace coir::models {

inline constexpr std::chrono::nanoseconds half_tick{1};

inline deadline deadline_of(int half_ticks) {
    return half_ticks == unlimited ? never : deadline{half_ticks * half_tick};
}

using fiber_list = std::array<fiber<void>, fibers>;

/// The real primitive.
class subject {
public:
    virtual ~subject() = default;

    /// Runs in the fiber. The kinds `leave` and `request_stop` are not for it.
    virtual outcome perform(int fiber, const operation& what) = 0;
    /// What the fiber does at its end.
    virtual void give_back(int) {}
    /// What the model's `state` says too.
    [[nodiscard]] virtual int state() const { return 0; }
};

/// Calls `f` after the delay and within the scopes and the shield of the operation. Says what was thrown.
outcome outcome_of_call(const operation& what, const std::function<outcome()>& f);

}  // namespace coir::models
