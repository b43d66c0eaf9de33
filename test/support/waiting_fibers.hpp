#pragma once

#include <coir/deadline.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/semaphore.hpp>

#include "base/random.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace coir::test {

/// Fibers that wait on one queue and leave it in a random order determined by a seed: woken, timed out or stopped,
/// sometimes several of these in one tick. A small model predicts the result for each fiber: first come, first served,
/// and the first event that ends a wait wins. Runs in virtual time, where a sleep lets all other fibers run until they
/// wait.
class waiting_fibers {
public:
    enum class fate { waiting, woken, timed_out, stopped };
    using wait = std::function<void(deadline)>;

    waiting_fibers(std::uint64_t seed, wait waiting) : random_{seed}, wait_{std::move(waiting)} {}

    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    std::size_t below(std::size_t count) noexcept { return random_.below(count); }

    /// Adds a fiber, with or without a time limit; `is_served` says that it need not wait.
    void arrive(bool is_served);

    /// In the model, wakes the first waiter. Returns false if none waits.
    bool first_is_woken();

    /// Stops any fiber, whether it still waits or was woken in this tick.
    void stop_anyone();

    /// Lets time pass and all fibers run, and checks each fiber's result. Returns false if one differs from the model.
    [[nodiscard]] bool settle();

    /// Stops the remaining fibers.
    [[nodiscard]] bool end();

private:
    struct member {
        fiber<void> runs;
        clock::time_point limit;
        fate expected = fate::waiting;
        fate actual = fate::waiting;
    };

    void expire();

    detail::random_numbers random_;
    wait wait_;
    std::vector<std::unique_ptr<member>> members_;
    std::deque<member*> waiting_;  // as in the model
};

}  // namespace coir::test
