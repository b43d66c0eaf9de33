#pragma once

#include <coir/deadline.hpp>
#include <coir/net/endpoint.hpp>

#include <functional>
#include <span>
#include <system_error>
#include <vector>

namespace coir::detail {

/// Orders the endpoints so that the address families alternate, beginning with the family of the first endpoint; each
/// family keeps its order (RFC 8305, section 4). If one family has no route, the second attempt uses the other one.
[[nodiscard]] std::vector<net::endpoint> interleaved(std::span<const net::endpoint> found);

/// Makes attempts to connect concurrently (RFC 8305, "Happy Eyeballs", section 5). The next attempt begins 250 ms after
/// the previous one, or as soon as an attempt has failed; the first success stops the others. `attempt` is called in a
/// fiber per candidate, and returns its error, if any. It must keep its connection only if no other attempt has
/// succeeded before. Returns no error after a success, otherwise the error of the last attempt to fail.
std::error_code race(std::span<const net::endpoint> candidates, const deadline& until,
                     const std::function<std::error_code(const net::endpoint&)>& attempt);

}  // namespace coir::detail
