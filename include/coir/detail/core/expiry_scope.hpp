#pragma once

#include <coir/detail/base/timer_node.hpp>

namespace coir::detail {

class task;

/// The part of a `timeout_scope` that its task refers to: a section of the code of a fiber that has a limit in time.
struct expiry_scope : timer_node {
    task* owner = nullptr;
    expiry_scope* outer = nullptr;  // the scope around this one in the same fiber
    unsigned shields = 0;           // shields that were open at entry; a shield opened later delays the expiry
    int uncaught = 0;               // exceptions in flight at entry; the expiry is not thrown while there are more
    bool expired = false;
};

}  // namespace coir::detail
