#pragma once

#include <coir/detail/base/platform.hpp>

#include <coir/dump_options.hpp>

#include <iosfwd>

namespace coir {

/// Writes a line for each fiber of the calling thread's scheduler, in the order of spawning: id, name, state
/// (spawned, ready, running, parked), what it waits for (with the holder of a lock, and the peer of a socket) and for how
/// long (from a second up), and where and by which fiber it was spawned. Does not suspend. Reads debug information of
/// the program, which may take some time when an address is new. Throws `not_in_fiber`.
///
/// @code
/// auto sleeper = coir::spawn({.name = "sleeper"}, [] { coir::this_fiber::sleep_for(1h); });
/// coir::this_fiber::yield();
/// std::ostringstream text;
/// coir::dump_fibers(text);
/// if (text.str().find("\"sleeper\": parked on sleep") == std::string::npos) throw std::logic_error{text.str()};
/// @endcode
void dump_fibers(std::ostream& out, dump_options options = {});

}  // namespace coir
