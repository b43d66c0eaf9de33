#pragma once

#include <cstddef>
#include <netdb.h>
#include <resolv.h>
#include <sys/socket.h>

/// @file
/// Static fallbacks (static_fallbacks.hpp) of the functions that ask name servers.
namespace coir::detail::static_fallback {

int getaddrinfo(const char* host, const char* service, const addrinfo* wanted, addrinfo** found);
hostent* gethostbyname(const char* host);
int gethostbyname_r(const char* host, hostent* into, char* buffer, std::size_t bytes, hostent** found, int* error);
hostent* gethostbyaddr(const void* address, socklen_t length, int family);
int getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_bytes, char* service,
                socklen_t service_bytes, int flags);
int res_query(const char* name, int wanted_class, int type, unsigned char* answer, int bytes);
int res_search(const char* name, int wanted_class, int type, unsigned char* answer, int bytes);
int res_nquery(res_state state, const char* name, int wanted_class, int type, unsigned char* answer, int bytes);

}  // namespace coir::detail::static_fallback
