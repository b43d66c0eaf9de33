#pragma once

#include <coir/detail/base/platform.hpp>

#include <iosfwd>

namespace coir {

/// Writes a line for each fiber of the calling thread's scheduler, in the order of spawning: id, name, state
/// (spawned, ready, running, parked), what it waits for, and where it was spawned. Does not suspend. Throws
/// `not_in_fiber`.
///
/// @code
/// auto sleeper = coir::spawn({.name = "sleeper"}, [] { coir::this_fiber::sleep_for(1h); });
/// coir::this_fiber::yield();
/// std::ostringstream text;
/// coir::dump_fibers(text);
/// if (text.str().find("\"sleeper\": parked on sleep") == std::string::npos) throw std::logic_error{text.str()};
/// @endcode
void dump_fibers(std::ostream& out);

}  // namespace coir
