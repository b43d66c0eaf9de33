#pragma once

#include <coir/detail/base/list.hpp>
#include <coir/dump_options.hpp>

#include "core/task/task.hpp"

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace coir::detail {

/// The name of a fiber in logs and dumps: `#7 "name"`.
std::string describe_fiber(const task& fiber);

/// What a dump says of the scheduler's state.
struct dump_moment {
    const task& running;
    std::int64_t now;           // in nanoseconds of `coir::clock`
    std::size_t default_stack;  // bytes
};

/// Writes a line for each task that is alive: its id, name, state, what it waits for, which fiber holds that, and where
/// it was spawned; and its stack, on demand.
void dump_tasks(std::ostream& out, const list<task>& alive, const dump_moment& moment, const dump_options& options);

/// Writes each cycle of tasks that wait for each other, with a line for each task.
void dump_cycles(std::ostream& out, const list<task>& alive);

}  // namespace coir::detail
