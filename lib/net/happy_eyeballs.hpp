#pragma once

#include <coir/deadline.hpp>
#include <coir/net/endpoint.hpp>

#include <functional>
#include <span>
#include <system_error>
#include <vector>

namespace coir::detail {

/// The families by turns, beginning with the first one's, each in its own order (RFC 8305, section 4): where one of
/// them leads nowhere, the second attempt is of the other.
[[nodiscard]] std::vector<net::endpoint> interleaved(std::span<const net::endpoint> found);

/// Races attempts to connect (RFC 8305, "Happy Eyeballs", section 5): the next one begins 250 ms after the last, or at
/// once when that has failed; the first to succeed ends the others. `attempt` is called in fibers of its own, and says
/// whether it has succeeded: it keeps what it has connected when nobody has `won` before it. The failure is the last
/// one's.
std::error_code race(std::span<const net::endpoint> candidates, const deadline& until,
                     const std::function<std::error_code(const net::endpoint&)>& attempt);

}  // namespace coir::detail
