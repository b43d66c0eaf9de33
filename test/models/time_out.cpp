#include <coir/shield.hpp>

#include "models/primitive.hpp"
#include "models/semaphore.hpp"

namespace coir::models {

// Time scopes around the operations of a semaphore.
namespace of_time_out {

using namespace of_semaphore;

enum kind : int { acquire_twice = first_more };

constexpr operation table[] = {
    {.name = "acquire", .kind = acquire},
    {.name = "acquire", .kind = acquire, .weight = 3, .outer = 3},
    {.name = "acquire", .kind = acquire, .outer = 0},
    {.name = "acquire", .kind = acquire, .limit = 5, .outer = 3},
    {.name = "acquire", .kind = acquire, .limit = 1, .outer = 3},
    {.name = "acquire", .kind = acquire, .weight = 2, .outer = 5, .inner = 3},
    {.name = "acquire", .kind = acquire, .weight = 2, .outer = 3, .inner = 5},
    {.name = "acquire", .kind = acquire, .outer = 5, .inner = 0},
    {.name = "acquire", .kind = acquire, .limit = 5, .shielded = true, .outer = 3},
    {.name = "acquire shielded, and again", .kind = acquire_twice, .limit = 5, .weight = 2, .outer = 3},
    {.name = "acquire shielded, and again", .kind = acquire_twice, .limit = 5, .weight = 2, .outer = 7, .inner = 3},
    {.name = "acquire shielded, and again", .kind = acquire_twice, .limit = 5, .outer = 3, .inner = 1},
    {.name = "try_acquire_until", .kind = try_acquire_until, .limit = 1, .outer = 3},
    {.name = "release one", .kind = release, .argument = 1, .weight = 6},
    {.name = "release two", .kind = release, .argument = 2, .weight = 2},
    {.name = "release one", .kind = release, .argument = 1, .weight = 2, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0},
    {.name = "request_stop", .kind = request_stop, .argument = 1},
    {.name = "request_stop", .kind = request_stop, .argument = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .delay = 1},
};

class time_out_model : public semaphore_model {
public:
    using semaphore_model::semaphore_model;

private:
    enum stage : int { first, second };

    void perform(int fiber) override {
        if (at(fiber).doing->kind != acquire_twice) return semaphore_model::perform(fiber);
        at(fiber).shielded = true;
        if (take_if_there())
            begin_second(fiber);
        else
            wait_in(waiters_, fiber);
    }

    void resume(int fiber) override {
        if (at(fiber).doing->kind != acquire_twice || at(fiber).stage == second) return semaphore_model::resume(fiber);
        if (at(fiber).why == reason::time_is_up) take_if_there();
        begin_second(fiber);
    }

    /// What was due during the first stage is delivered if the fiber has to wait.
    void begin_second(int fiber) {
        at(fiber).stage = second;
        at(fiber).shielded = false;
        at(fiber).until = unlimited;
        take_or_wait(fiber);
    }
};

class real_time_out : public real_semaphore {
public:
    using real_semaphore::real_semaphore;

private:
    outcome perform(int fiber, const operation& what) override {
        if (what.kind != acquire_twice) return real_semaphore::perform(fiber, what);
        {
            const shield_scope shield;
            static_cast<void>(semaphore_.try_acquire_until(deadline_of(what.limit)));
        }
        semaphore_.acquire();
        return outcome::done;
    }
};

}  // namespace of_time_out

const primitive time_outs{"time-out",
                          of_time_out::table,
                          3,
                          make_subject<of_time_out::real_time_out>,
                          make_model<of_time_out::time_out_model>,
                          of_semaphore::release};

}  // namespace coir::models
