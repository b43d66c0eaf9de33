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

/// Fibers that come to one queue and go, as a seed has it: woken, timed out or stopped, several of these in one tick as
/// well. Beside them a small model that says what must become of each: first come, first served, and the first of
/// several that end a wait wins. In virtual time, where a sleep gives everyone the time to get where they go.
class waiting_fibers {
public:
    enum class fate { waiting, woken, timed_out, stopped };
    using wait = std::function<void(deadline)>;

    waiting_fibers(std::uint64_t seed, wait waiting) : random_{seed}, wait_{std::move(waiting)} {}

    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    std::size_t below(std::size_t count) noexcept { return random_.below(count); }

    /// One more fiber, with a time limit or none; `is_served` says that it need not wait.
    void arrive(bool is_served);

    /// The model's turn: the first one is woken. False when none waits.
    bool first_is_woken();

    /// Asks anyone to stop, whether it still waits or has been woken in this tick.
    void stop_anyone();

    /// Lets time pass and all fibers run; then each of them must have met its fate. False where one has not.
    [[nodiscard]] bool settle();

    /// Stops those that are left.
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
    std::deque<member*> waiting_;  // as the model has them
};

}  // namespace coir::test
