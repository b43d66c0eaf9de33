#pragma once

#include <coir/deadline.hpp>
#include <coir/net/endpoint.hpp>

#include <string_view>
#include <system_error>
#include <vector>

namespace coir::net {

/// Looks up the endpoints of a service on a host, in the order in which to try them (getaddrinfo(3), RFC 6724). `host`
/// is a name or a numeric address; `service` is a port number or a name from /etc/services. The lookup blocks one of up
/// to 64 threads that coir keeps for names, not the calling thread. A numeric address with a numeric port needs no
/// lookup. Names in /etc/hosts and other numeric addresses do not wait for lookups in the network, and are found also
/// with a limit of 0: they get a second even if the limit is shorter. A lookup in the network does not begin after the
/// limit.
///
/// A stop, a timeout scope or the deadline ends the wait at once; the lookup continues in its thread and its result is
/// discarded. It then no longer counts in the limit, and does not delay the end of the program. Throws `timed_out`, and
/// `std::system_error` naming host and service; errors of the resolver are in `resolve_category()` (EAI_NONAME: no such
/// name).
///
/// @code
/// for (const coir::net::endpoint& found : coir::net::resolve("127.0.0.1", "80")) {
///     if (found.port() != 80) throw std::logic_error{"resolve"};
/// }
/// @endcode
[[nodiscard]] std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until = never);

/// As above, with errors and the timeout (`std::errc::timed_out`) in `ec`; the result is then empty.
[[nodiscard]] std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until,
                                            std::error_code& ec);

/// The category of the error codes of getaddrinfo(3), such as `EAI_NONAME`; the messages are those of gai_strerror(3).
[[nodiscard]] const std::error_category& resolve_category() noexcept;

}  // namespace coir::net
