#pragma once

#include <iosfwd>
#include <string>

namespace coir::detail {

class task;

/// `#7 "name"`, as logs and dumps call a fiber.
std::string label_of(const task& fiber);

/// One line: id, name, state, what it waits for, where it was spawned.
void dump_task(std::ostream& out, const task& fiber, bool runs);

}  // namespace coir::detail
