#include "models/semaphore.hpp"

#include "models/primitive.hpp"

namespace coir::models {

namespace of_semaphore {

constexpr operation table[] = {
    {.name = "acquire", .kind = acquire, .weight = 6},
    {.name = "acquire", .kind = acquire, .limit = 0},
    {.name = "acquire", .kind = acquire, .limit = 3, .weight = 3},
    {.name = "acquire", .kind = acquire, .limit = 5},
    {.name = "acquire", .kind = acquire, .limit = 3, .shielded = true},
    {.name = "acquire", .kind = acquire, .outer = 3},
    {.name = "try_acquire", .kind = try_acquire, .weight = 2},
    {.name = "try_acquire_until", .kind = try_acquire_until, .limit = 0},
    {.name = "try_acquire_until", .kind = try_acquire_until, .limit = 3, .weight = 2},
    {.name = "release none", .kind = release, .argument = 0},
    {.name = "release one", .kind = release, .argument = 1, .weight = 6},
    {.name = "release two", .kind = release, .argument = 2, .weight = 2},
    {.name = "release three", .kind = release, .argument = 3},
    {.name = "release one", .kind = release, .argument = 1, .weight = 2, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0},
    {.name = "request_stop", .kind = request_stop, .argument = 1},
    {.name = "request_stop", .kind = request_stop, .argument = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .delay = 1},
};

}  // namespace of_semaphore

const primitive semaphores{"semaphore",
                           of_semaphore::table,
                           3,
                           make_subject<of_semaphore::real_semaphore>,
                           make_model<of_semaphore::semaphore_model>,
                           of_semaphore::release};

}  // namespace coir::models
