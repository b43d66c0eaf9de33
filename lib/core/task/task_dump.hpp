#pragma once

#include <coir/detail/base/list.hpp>

#include "core/task/task.hpp"

#include <iosfwd>
#include <string>

namespace coir::detail {

/// `#7 "name"`, as logs and dumps call a fiber.
std::string describe_fiber(const task& fiber);

/// A line for each task that is alive: id, name, state, what it waits for and who holds that, where it was spawned.
void dump_tasks(std::ostream& out, const list<task>& alive, const task& running);

/// A line for each cycle of tasks that wait for each other.
void dump_cycles(std::ostream& out, const list<task>& alive);

}  // namespace coir::detail
