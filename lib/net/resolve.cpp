#include <coir/detail/base/throw_if.hpp>
#include <coir/net/resolve.hpp>

#include "base/integer.hpp"
#include "net/hosts_file.hpp"
#include "thread/detached_work.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <netdb.h>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace coir::net {

namespace {

using detail::scheduler;
using namespace std::chrono_literals;

/// The least time for a look-up in files of this machine. With a limit of 0, the fiber would look before a thread has
/// begun.
constexpr auto local_limit_min = 1s;

struct answer {
    std::vector<endpoint> found;
    std::error_code failure;
};

/// Blocks; called in a thread of the pool.
answer look_up(const std::string& host, const std::string& service, int flags) try {
    addrinfo hints{};
    hints.ai_flags = flags;
    hints.ai_socktype = SOCK_STREAM;  // otherwise each address is returned once for each socket type
    addrinfo* first = nullptr;
    const int result = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &first);
    if (result == EAI_SYSTEM) return {{}, {errno, std::system_category()}};
    if (result != 0) return {{}, {result, resolve_category()}};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> freed{first, &::freeaddrinfo};
    answer given;
    for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
        if (each->ai_family == AF_INET || each->ai_family == AF_INET6)
            given.found.emplace_back(each->ai_addr, each->ai_addrlen);
    }
    if (given.found.empty()) given.failure = {EAI_NONAME, resolve_category()};
    return given;
} catch (const std::bad_alloc&) {
    return {{}, {EAI_MEMORY, resolve_category()}};
}

/// Finds numeric addresses (with a service name, an interface, or in a form of inet_aton(3)) and names of /etc/hosts.
/// Empty if the name is none of these. Blocks like `look_up`, but seldom for long.
std::optional<answer> look_up_locally(const std::string& host, const std::string& service) try {
    answer numeric = look_up(host, service, AI_NUMERICHOST);
    if (numeric.failure != std::error_code{EAI_NONAME, resolve_category()}) return numeric;
    if (!detail::is_in_hosts_file(host)) return std::nullopt;
    return look_up(host, service, 0);
} catch (const std::bad_alloc&) {
    return answer{{}, {EAI_MEMORY, resolve_category()}};
}

class resolver_errors : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "resolve"; }
    [[nodiscard]] std::string message(int code) const override { return ::gai_strerror(code); }
};

/// A numeric address with a numeric port. The two are not joined to one text: "unix:80" would be a path.
endpoint numeric(std::string_view host, std::string_view service, std::error_code& ec) {
    if (const auto port = detail::parse_integer<std::uint16_t>(service)) return {host, *port, ec};
    ec = std::make_error_code(std::errc::invalid_argument);
    return {};
}

}  // namespace

std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until, std::error_code& ec) {
    scheduler::enter("net::resolve");
    if (const endpoint found = numeric(host, service, ec); !ec) return {found};
    ec.clear();
    if (host.find('\0') != host.npos || service.find('\0') != service.npos) {
        ec = {EAI_NONAME, resolve_category()};
        return {};
    }
    const auto call = [&](detail::lane pool, const deadline& limit, auto function) {
        scheduler& here = scheduler::enter("net::resolve");  // a stop may have come between two calls
        return detail::call_detached(pool, here, "resolve", limit,
                                     [=, host = std::string{host}, service = std::string{service}] {
                                         return std::optional<answer>{function(host, service)};
                                     });
    };
    // Names of this machine do not queue behind look-ups that wait for the network.
    auto given = call(detail::lane::local_names, std::max(until, deadline{local_limit_min}), look_up_locally);
    if (given && !*given) {
        given.reset();
        if (!until.has_passed())
            given = call(detail::lane::names, until, [](const auto&... of) { return look_up(of..., 0); });
    }
    ec = given ? (*given)->failure : std::make_error_code(std::errc::timed_out);
    return given ? std::move((*given)->found) : std::vector<endpoint>{};
}

std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until) {
    std::error_code ec;
    std::vector<endpoint> found = resolve(host, service, until, ec);
    if (ec)
        detail::throw_error(ec,
                            "net::resolve of host '" + std::string{host} + "' service '" + std::string{service} + "'");
    return found;
}

const std::error_category& resolve_category() noexcept {
    static const resolver_errors category;
    return category;
}

}  // namespace coir::net
