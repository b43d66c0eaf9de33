#include <coir/dump.hpp>

#include "core/scheduler.hpp"

namespace coir {

void dump_fibers(std::ostream& out, dump_options options) { detail::scheduler::get("dump_fibers").dump(out, options); }

}  // namespace coir
