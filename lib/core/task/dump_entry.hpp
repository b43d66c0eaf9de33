#pragma once

#include <coir/detail/base/list.hpp>
#include <coir/dump_options.hpp>

#include "base/call_stack.hpp"
#include "core/task/task.hpp"

#include <string>
#include <vector>

namespace coir::detail {

/// One entry of a dump: a fiber, or, in a dump with stacks, all that stand at the same place and wait for the same thing.
struct dump_entry {
    std::vector<const task*> fibers;
    call_stack stack{};  // empty without `dump_options::stacks`, and for a fiber that has not run
    std::string spawn_site{};
    std::vector<std::string> functions{};  // of the stack, as `describe_stack` says

    [[nodiscard]] const task& first() const noexcept { return *fibers.front(); }
};

/// The entries of all fibers, in the order of their first ones.
std::vector<dump_entry> dump_entries(const list<task>& alive, const task& running, const dump_options& options);

}  // namespace coir::detail
