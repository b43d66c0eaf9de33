#pragma once

#include <coir/detail/base/list.hpp>

#include "core/task/task.hpp"

#include <iosfwd>
#include <string>

namespace coir::detail {

/// The name of a fiber in logs and dumps: `#7 "name"`.
std::string describe_fiber(const task& fiber);

/// Writes a line for each task that is alive: its id, name, state, what it waits for, which fiber holds that, and where
/// it was spawned.
void dump_tasks(std::ostream& out, const list<task>& alive, const task& running);

/// Writes each cycle of tasks that wait for each other, with a line for each task.
void dump_cycles(std::ostream& out, const list<task>& alive);

}  // namespace coir::detail
