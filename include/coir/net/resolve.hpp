#pragma once

#include <coir/deadline.hpp>
#include <coir/net/endpoint.hpp>

#include <string_view>
#include <system_error>
#include <vector>

namespace coir::net {

/// The endpoints of a host's service, in the order in which to try them (getaddrinfo(3), RFC 6724). `host` is a name or
/// a numeric address, `service` a port or a name from /etc/services; the look-up blocks a thread of the offload pool
/// and never this one. Numbers alone are understood without it.
///
/// A stop, a timeout scope or the deadline ends the wait at once; the look-up is then left to itself. Throws
/// `timed_out`, and `std::system_error` naming host and service, in `resolve_category()` for what the resolver says
/// (EAI_NONAME: no such name).
///
/// @code
/// for (const coir::net::endpoint& found : coir::net::resolve("127.0.0.1", "80")) {
///     if (found.port() != 80) throw std::logic_error{"resolve"};
/// }
/// @endcode
[[nodiscard]] std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until = never);

/// As above, with refusals and the deadline's end in `ec`, and no endpoint then.
[[nodiscard]] std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until,
                                            std::error_code& ec);

/// Of the codes of getaddrinfo(3), `EAI_NONAME` and its like; a message is what gai_strerror(3) says.
[[nodiscard]] const std::error_category& resolve_category() noexcept;

}  // namespace coir::net
