#pragma once

#include <coir/detail/base/timer_node.hpp>

namespace coir::detail {

class task;

/// A stretch of a fiber's code with a limit in time, as its task knows it: `timeout_scope` without the surface.
struct expiry_scope : timer_node {
    task* owner = nullptr;
    expiry_scope* outer = nullptr;  // the scope around this one in the same fiber
    unsigned shields = 0;           // shields that were open when it was entered: one more holds it back
    int uncaught = 0;               // exceptions in flight when it was entered: one more holds it back
    bool expired = false;
};

}  // namespace coir::detail
