#include <coir/shield.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/this_fiber.hpp>

#include "models/primitive.hpp"
#include "models/stop_model.hpp"

#include <stop_token>

namespace coir::models {

// Stops of fibers that sleep, wait, join each other and hold stops back.
namespace of_stop {

constexpr operation table[] = {
    {.name = "acquire", .kind = acquire, .weight = 2},
    {.name = "acquire", .kind = acquire, .limit = 3, .shielded = true},
    {.name = "acquire", .kind = acquire, .weight = 2, .outer = 3},
    {.name = "acquire with a stop callback", .kind = callback, .weight = 2},
    {.name = "acquire shielded, yield", .kind = shielded_then_yield, .limit = 3, .weight = 2},
    {.name = "acquire shielded, yield", .kind = shielded_then_yield, .limit = 3, .outer = 1},
    {.name = "release", .kind = release, .weight = 3},
    {.name = "sleep", .kind = sleep, .limit = 1},
    {.name = "sleep", .kind = sleep, .limit = 3},
    {.name = "sleep", .kind = sleep, .limit = 5, .shielded = true},
    {.name = "yield", .kind = yield},
    {.name = "yield", .kind = yield, .shielded = true},
    {.name = "throw_if_stopped", .kind = check},
    {.name = "throw_if_stopped", .kind = check, .shielded = true},
    {.name = "stop_requested", .kind = is_requested},
    {.name = "join fiber 0", .kind = join, .limit = 5, .argument = 0},
    {.name = "join fiber 1", .kind = join, .limit = 5, .argument = 1},
    {.name = "join fiber 2", .kind = join, .argument = 2},
    {.name = "release", .kind = release, .weight = 2, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0, .weight = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .weight = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 2, .weight = 2},
};

class real_stop : public subject {
public:
    real_stop(int permits, fiber_list& all) : semaphore_{permits}, fibers_{all} {}

    [[nodiscard]] int state() const override { return called_; }

private:
    outcome perform(int, const operation& what) override {
        const deadline until = deadline_of(what.limit);
        switch (what.kind) {
        case acquire: semaphore_.acquire(until); break;
        case release: semaphore_.release(); break;
        case sleep: this_fiber::sleep_until(until); break;
        case yield: this_fiber::yield(); break;
        case check: this_fiber::throw_if_stopped(); break;
        case is_requested: return done_if(this_fiber::stop_token().stop_requested());
        case join: fibers_[index(what.argument)].join(until); break;
        case callback: acquire_with_callback(); break;
        default: acquire_shielded(until); this_fiber::yield();
        }
        return outcome::done;
    }

    void acquire_with_callback() {
        const std::stop_callback count{this_fiber::stop_token(), [this] { ++called_; }};
        semaphore_.acquire();
    }

    void acquire_shielded(deadline until) {
        const shield_scope shield;
        static_cast<void>(semaphore_.try_acquire_until(until));
    }

    counting_semaphore<> semaphore_;
    fiber_list& fibers_;
    int called_ = 0;
};

}  // namespace of_stop

const primitive stops{"stop",      of_stop::table, 2, make_subject<of_stop::real_stop>, make_model<of_stop::stop_model>,
                      request_stop};

}  // namespace coir::models
