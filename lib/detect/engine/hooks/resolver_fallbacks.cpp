// With _FORTIFY_SOURCE the headers of the C library would define some of these functions inline.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/resolver_fallbacks.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>

namespace coir::detail::static_fallback {

// Never called: a static program uses the C library's strong definition (hooks.cpp).
int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_SYSTEM; }

hostent* gethostbyname(const char* host) { return ::gethostbyname2(host, AF_INET); }

int gethostbyname_r(const char* host, hostent* into, char* buffer, std::size_t bytes, hostent** found, int* error) {
    return ::gethostbyname2_r(host, AF_INET, into, buffer, bytes, found, error);
}

hostent* gethostbyaddr(const void* address, socklen_t length, int family) {
    static hostent entry;
    static std::array<char, 8192> buffer;
    hostent* found = nullptr;
    return ::gethostbyaddr_r(address, length, family, &entry, buffer.data(), buffer.size(), &found, &h_errno) == 0
               ? found
               : nullptr;
}

namespace {

constexpr std::size_t entry_bytes = 8192;

/// Writes the address itself, as getnameinfo(3) does if it has no name.
int write_number(const sockaddr& address, char* into, socklen_t bytes) {
    if (address.sa_family == AF_INET) {
        const auto& of = reinterpret_cast<const sockaddr_in&>(address);
        return ::inet_ntop(AF_INET, &of.sin_addr, into, bytes) != nullptr ? 0 : EAI_OVERFLOW;
    }
    const auto& of = reinterpret_cast<const sockaddr_in6&>(address);
    std::array<char, INET6_ADDRSTRLEN + 16> text{};
    ::inet_ntop(AF_INET6, &of.sin6_addr, text.data(), INET6_ADDRSTRLEN);
    if (of.sin6_scope_id != 0)
        std::snprintf(text.data() + std::strlen(text.data()), 16, "%%%u", static_cast<unsigned>(of.sin6_scope_id));
    return std::snprintf(into, bytes, "%s", text.data()) < static_cast<int>(bytes) ? 0 : EAI_OVERFLOW;
}

int write_host(const sockaddr& address, char* into, socklen_t bytes, int flags) {
    const bool is_v4 = address.sa_family == AF_INET;
    const void* const number = is_v4 ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
                                     : &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    hostent entry{};
    std::array<char, entry_bytes> buffer;
    hostent* found = nullptr;
    int error = 0;
    if ((flags & NI_NUMERICHOST) == 0)
        ::gethostbyaddr_r(number, is_v4 ? sizeof(in_addr) : sizeof(in6_addr), address.sa_family, &entry, buffer.data(),
                          buffer.size(), &found, &error);
    if (found != nullptr)
        return std::snprintf(into, bytes, "%s", found->h_name) < static_cast<int>(bytes) ? 0 : EAI_OVERFLOW;
    if (error == TRY_AGAIN) return EAI_AGAIN;
    return (flags & NI_NAMEREQD) != 0 ? EAI_NONAME : write_number(address, into, bytes);
}

int write_service(const sockaddr& address, char* into, socklen_t bytes, int flags) {
    const in_port_t port =
        reinterpret_cast<const sockaddr_in&>(address).sin_port;  // at the same offset in sockaddr_in6
    servent entry{};
    std::array<char, entry_bytes> buffer;
    servent* found = nullptr;
    if ((flags & NI_NUMERICSERV) == 0)
        ::getservbyport_r(port, (flags & NI_DGRAM) != 0 ? "udp" : "tcp", &entry, buffer.data(), buffer.size(), &found);
    const int length = found != nullptr ? std::snprintf(into, bytes, "%s", found->s_name)
                                        : std::snprintf(into, bytes, "%d", static_cast<int>(ntohs(port)));
    return length < static_cast<int>(bytes) ? 0 : EAI_OVERFLOW;
}

}  // namespace

/// For IP addresses only. Ignores NI_NOFQDN and the flags for internationalised names.
int getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_bytes, char* service,
                socklen_t service_bytes, int flags) {
    const bool asks_host = host != nullptr && host_bytes > 0;
    const bool asks_service = service != nullptr && service_bytes > 0;
    if (address == nullptr || length < sizeof address->sa_family) return EAI_FAMILY;
    if (!asks_host && !asks_service) return EAI_NONAME;
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6) return EAI_FAMILY;
    if (length < (address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6))) return EAI_FAMILY;
    const int error = asks_host ? write_host(*address, host, host_bytes, flags) : 0;
    return error != 0 || !asks_service ? error : write_service(*address, service, service_bytes, flags);
}

#if __GLIBC_PREREQ(2, 34)
int res_query(const char* name, int wanted_class, int type, unsigned char* answer, int bytes) {
    return ::res_querydomain(name, nullptr, wanted_class, type, answer, bytes);
}

int res_search(const char* name, int wanted_class, int type, unsigned char* answer, int bytes) {
    if ((_res.options & RES_INIT) == 0 && ::res_init() != 0) return -1;
    return ::res_nsearch(&_res, name, wanted_class, type, answer, bytes);
}

int res_nquery(res_state state, const char* name, int wanted_class, int type, unsigned char* answer, int bytes) {
    return ::res_nquerydomain(state, name, nullptr, wanted_class, type, answer, bytes);
}
#endif

}  // namespace coir::detail::static_fallback
