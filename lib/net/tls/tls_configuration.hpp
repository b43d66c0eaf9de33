#pragma once

#include <coir/net/tls.hpp>

#include "net/tls/tls_sessions.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace coir::detail {

struct free_context {
    void operator()(SSL_CTX* context) const noexcept { ::SSL_CTX_free(context); }
};
using context_handle = std::unique_ptr<SSL_CTX, free_context>;

/// The shared state of a `tls_context`. Not changed after construction.
class tls_configuration {
public:
    explicit tls_configuration(const net::tls_client_options& options);
    explicit tls_configuration(const net::tls_server_options& options);
    tls_configuration(const tls_configuration&) = delete;
    tls_configuration& operator=(const tls_configuration&) = delete;

    /// The one context of all connections. It has the certificate of the first identity.
    [[nodiscard]] SSL_CTX* context() const noexcept { return context_.get(); }
    [[nodiscard]] bool verifies_server() const noexcept { return verifies_server_; }

    /// The sessions of a client that can be resumed.
    tls_sessions sessions;

private:
    static int choose_identity(SSL* connection, void* self);
    static int accept_name(SSL* connection, int* alert, void* unused);
    static SSL_TICKET_RETURN choose_session(SSL* connection, SSL_SESSION* session, const unsigned char* key,
                                            std::size_t bytes, SSL_TICKET_STATUS status, void* unused);
    static int choose_protocol(SSL* connection, const unsigned char** chosen, unsigned char* chosen_bytes,
                               const unsigned char* offered, unsigned offered_bytes, void* self);

    context_handle context_;
    std::vector<context_handle> others_;    // the other identities of a server: certificate, key and chain of each
    std::vector<unsigned char> protocols_;  // ALPN wire form: each name follows its length
    bool verifies_server_ = false;
};

}  // namespace coir::detail
