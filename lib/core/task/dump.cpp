#include <coir/dump.hpp>

#include "core/scheduler.hpp"

namespace coir {

void dump_fibers(std::ostream& out) { detail::scheduler::get("dump_fibers").dump(out); }

}  // namespace coir
