#include "net/tls/tls_configuration.hpp"

#include <coir/detail/base/throw_if.hpp>

#include "net/tls/tls_error.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string_view>

namespace coir::detail {

namespace {

using net::client_certificates;
using net::tls_client_options;
using net::tls_identity;
using net::tls_server_options;

[[noreturn]] void throw_contradiction(const char* what) {
    throw_error(std::make_error_code(std::errc::invalid_argument), std::string{"tls_context: "} + what);
}

/// Protocol names in the form of RFC 7301, section 3.1.
std::vector<unsigned char> wire_form(const std::vector<std::string>& protocols) {
    std::vector<unsigned char> form;
    for (const std::string& each : protocols) {
        if (each.empty() || each.size() > 255)
            throw_contradiction("the name of an ALPN protocol must have 1 to 255 bytes");
        form.push_back(static_cast<unsigned char>(each.size()));
        form.insert(form.end(), each.begin(), each.end());
    }
    return form;
}

context_handle make_context(const SSL_METHOD* method) {
    context_handle made{::SSL_CTX_new(method)};
    if (made == nullptr) throw_tls_error("tls_context: cannot create an SSL_CTX");
    SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_options(made.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // An idle connection without buffers uses 34 KiB less memory. Read-ahead reads several records with one call.
    SSL_CTX_set_mode(made.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(made.get(), 1);
    return made;
}

void use_identity(SSL_CTX* context, const tls_identity& identity) {
    const std::string& chain = identity.certificate_chain.native();
    const std::string& key = identity.key.native();
    ::ERR_clear_error();
    if (::SSL_CTX_use_certificate_chain_file(context, chain.c_str()) != 1)
        throw_tls_error("tls_context: cannot load the certificate chain '" + chain + "'");
    // Without a callback, OpenSSL asks for a password on the terminal.
    bool needs_password = false;
    ::SSL_CTX_set_default_passwd_cb_userdata(context, &needs_password);
    ::SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void* asked) {
        *static_cast<bool*>(asked) = true;
        return -1;
    });
    const bool is_read = ::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1;
    ::SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
    const std::string operation =
        "tls_context: cannot load the key '" + key + "' for the certificate in '" + chain + "'";
    if (needs_password)
        throw_error(std::make_error_code(std::errc::permission_denied),
                    operation + ": the key is protected by a password; store it without one");
    if (!is_read) throw_tls_error(operation);
}

void trust_file(SSL_CTX* context, const std::string& path) {
    ::ERR_clear_error();
    if (::SSL_CTX_load_verify_file(context, path.c_str()) != 1)
        throw_tls_error("tls_context: cannot load the authorities in '" + path + "'");
}

/// Prefers a bundle file: OpenSSL reads a directory of hashed names during handshakes, which waits for a disk.
void trust_system_authorities(SSL_CTX* context) {
    if (const char* const chosen = ::secure_getenv("SSL_CERT_FILE")) return trust_file(context, chosen);
    for (const char* const path : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                   "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem", "/etc/ssl/cert.pem"}) {
        std::error_code ec;
        if (std::filesystem::exists(path, ec)) return trust_file(context, path);
    }
    ::SSL_CTX_set_default_verify_paths(context);
}

}  // namespace

// ---- clients -----------------------------------------------------------------------------------------------------

tls_configuration::tls_configuration(const tls_client_options& options)
    : context_{make_context(::TLS_client_method())}, protocols_{wire_form(options.protocols)},
      verifies_server_{!options.insecure_skip_verification} {
    if (options.identity.size() > 1)
        throw_contradiction("tls_client_options::identity: a client can have only one identity");
    SSL_CTX* const made = context();
    if (verifies_server_) {
        ::SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
        if (options.authorities.empty())
            trust_system_authorities(made);
        else
            trust_file(made, options.authorities.native());
    }
    for (const tls_identity& each : options.identity) use_identity(made, each);
    // Unlike most functions of OpenSSL, this one returns 0 for success.
    if (!protocols_.empty() &&
        ::SSL_CTX_set_alpn_protos(made, protocols_.data(), static_cast<unsigned>(protocols_.size())) != 0)
        throw_tls_error("tls_context: cannot set the protocols for ALPN");
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

// ---- servers -----------------------------------------------------------------------------------------------------

tls_configuration::tls_configuration(const tls_server_options& options)
    : context_{make_context(::TLS_server_method())}, protocols_{wire_form(options.protocols)} {
    if (options.identities.empty())
        throw_contradiction("tls_server_options::identities: a server needs at least one identity");
    const bool verifies_clients = options.clients != client_certificates::ignored;
    if (verifies_clients != !options.client_authorities.empty()) {
        throw_contradiction(verifies_clients
                                ? "tls_server_options::client_authorities is empty; set it to verify clients"
                                : "tls_server_options::client_authorities is set, but clients are not verified");
    }
    SSL_CTX* const made = context();
    use_identity(made, options.identities.front());
    for (const tls_identity& each : std::span{options.identities}.subspan(1))
        use_identity(others_.emplace_back(make_context(::TLS_server_method())).get(), each);
    if (!others_.empty()) ::SSL_CTX_set_cert_cb(made, choose_identity, this);
    SSL_CTX_set_tlsext_servername_callback(made, accept_name);
    ::SSL_CTX_set_session_ticket_cb(made, nullptr, choose_session, nullptr);
    // Sessions are resumed only with tickets, which the client stores: the server needs no cache and no lock.
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    constexpr std::string_view id = "coir";
    ::SSL_CTX_set_session_id_context(made, reinterpret_cast<const unsigned char*>(id.data()), id.size());
    if (verifies_clients) {
        const int required =
            options.clients == client_certificates::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE;
        ::SSL_CTX_set_verify(made, SSL_VERIFY_PEER | required, nullptr);
        trust_file(made, options.client_authorities.native());
        auto* const names = ::SSL_load_client_CA_file(options.client_authorities.c_str());
        if (names == nullptr)
            throw_tls_error("tls_context: cannot load the authorities in '" + options.client_authorities.native() +
                            "'");
        ::SSL_CTX_set_client_CA_list(made, names);
    }
    if (!protocols_.empty()) ::SSL_CTX_set_alpn_select_cb(made, choose_protocol, this);
}

namespace {

bool names(SSL_CTX* identity, const char* host) noexcept {
    return ::X509_check_host(::SSL_CTX_get0_certificate(identity), host, 0, 0, nullptr) == 1;
}

/// Gives the connection another certificate, key and chain, and nothing else: SSL_set_SSL_CTX(3) leaves it with a
/// mixture of both contexts.
int use_identity_of(SSL_CTX* identity, SSL* connection) noexcept {
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(identity, &chain);
    // Keys of other kinds would stay: a client that prefers ECDSA would get the first identity's certificate.
    ::SSL_certs_clear(connection);
    return ::SSL_use_cert_and_key(connection, ::SSL_CTX_get0_certificate(identity), ::SSL_CTX_get0_privatekey(identity),
                                  chain, 1);
}

}  // namespace

/// SSL_CTX_set_cert_cb(3). A connection begins with the certificate of its context, the first identity's.
int tls_configuration::choose_identity(SSL* connection, void* self) {
    const char* const host = ::SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    const auto& made = *static_cast<tls_configuration*>(self);
    if (host == nullptr || names(made.context(), host)) return 1;
    for (const context_handle& each : made.others_) {
        if (names(each.get(), host)) return use_identity_of(each.get(), connection);
    }
    return 1;
}

/// Without this callback, OpenSSL does not store the name in the session.
int tls_configuration::accept_name(SSL* /*connection*/, int* /*alert*/, void* /*unused*/) { return SSL_TLSEXT_ERR_OK; }

namespace {

/// The host that a client requests, from its first message (RFC 6066, section 3); empty if there is none.
std::string_view requested_host(SSL* connection) noexcept {
    constexpr std::size_t header = 5;  // the length of the list, the type, and the length of the name
    const unsigned char* list = nullptr;
    std::size_t bytes = 0;
    if (::SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_server_name, &list, &bytes) != 1 || bytes < header)
        return {};
    const std::size_t length = list[3] * 256U + list[4];
    return {reinterpret_cast<const char*>(list) + header, std::min(length, bytes - header)};
}

}  // namespace

/// SSL_CTX_set_session_ticket_cb(3). RFC 6066, section 3: a session is not resumed under another name, as the client
/// has seen the certificate of the first name only.
SSL_TICKET_RETURN tls_configuration::choose_session(SSL* connection, SSL_SESSION* session, const unsigned char* /*key*/,
                                                    std::size_t /*bytes*/, SSL_TICKET_STATUS status, void* /*unused*/) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
    const char* const host = ::SSL_SESSION_get0_hostname(session);
    if (requested_host(connection) != (host != nullptr ? host : "")) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

int tls_configuration::choose_protocol(SSL* /*connection*/, const unsigned char** chosen, unsigned char* chosen_bytes,
                                       const unsigned char* offered, unsigned offered_bytes, void* self) {
    const auto& ours = static_cast<tls_configuration*>(self)->protocols_;
    unsigned char* found = nullptr;
    const int result = ::SSL_select_next_proto(&found, chosen_bytes, ours.data(), static_cast<unsigned>(ours.size()),
                                               offered, offered_bytes);
    *chosen = found;
    // RFC 7301, section 3.2: without a common protocol the handshake ends with an alert.
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace coir::detail
