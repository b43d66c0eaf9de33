#pragma once

#include <coir/sync/wait_queue.hpp>

#include "models/model.hpp"
#include "models/primitive.hpp"
#include "models/program.hpp"
#include "models/schedule.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <optional>

namespace coir::models {

/// What differs between a primitive and its model.
struct difference {
    history expected;
    history actual;
    int expected_state;
    int actual_state;
    std::size_t step;  // of the schedule; its length: after the last one
};

/// One run of a program with one schedule, on new fibers and a new primitive. In each step a fiber gets a turn: to begin
/// its next operation. A fiber that waits in an operation keeps its turn for later. After each beginning of an operation
/// a tick passes; virtual time passes only once no fiber is ready. Then the operations that have ended are compared.
class checked_run {
public:
    /// `loses_calls`: for a self-test, see `primitive::lost`.
    checked_run(const primitive& of, const program& running, bool loses_calls);

    std::optional<difference> run(const schedule& order);

private:
    struct party {
        wait_queue turns{"a turn"};
        int saved_turns = 0;
        std::size_t begun = 0;  // operations
    };

    // The driver.
    void run_steps(const schedule& order);
    void finish();
    void begin_all();
    bool begin_next();
    void begin(int fiber);
    void pass_tick();
    void stop(int fiber);
    void compare();
    void end_fibers();

    // The fibers.
    void run_fiber(int fiber);
    bool await_turn(party& me);
    outcome perform(int fiber, const operation& what);

    [[nodiscard]] const operation& next_of(int fiber) const;
    [[nodiscard]] party& at(int fiber) { return parties_[index(fiber)]; }
    [[nodiscard]] const party& at(int fiber) const { return parties_[index(fiber)]; }

    const primitive& primitive_;
    const program& program_;
    const bool loses_calls_;
    std::array<party, fibers> parties_;
    fiber_list fibers_;
    std::unique_ptr<subject> subject_;
    std::unique_ptr<model> model_;
    history ended_;
    int in_operation_ = 0;
    bool over_ = false;
    std::size_t step_ = 0;
    std::optional<difference> found_;
};

}  // namespace coir::models
