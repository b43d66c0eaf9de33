#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace coir::detail {

struct free_session {
    void operator()(SSL_SESSION* session) const noexcept { ::SSL_SESSION_free(session); }
};
using tls_session = std::unique_ptr<SSL_SESSION, free_session>;

/// The sessions of a client by server: the last thousand. Any thread.
class tls_sessions {
public:
    void keep(const std::string& server, tls_session session);

    /// A session to resume, or null. A session of TLS 1.3 is returned once: a ticket that is used twice lets an
    /// observer link both connections (RFC 8446, appendix C.4), and each connection brings new tickets.
    tls_session take(const std::string& server);

private:
    static constexpr std::size_t sessions_max = 1'000;

    struct entry {
        std::string server;
        tls_session session;
    };

    std::mutex mutex_;
    std::list<entry> all_;  // oldest first
    std::unordered_multimap<std::string_view, std::list<entry>::iterator> by_server_;
};

}  // namespace coir::detail
