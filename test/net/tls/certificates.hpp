#pragma once

#include <coir/net/tls.hpp>

#include "support/temporary_folder.hpp"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace coir::test {

enum class key_kind { ecdsa, rsa };  // P-256, 2,048 bits

/// What is asked of a certificate.
struct certificate_options {
    std::vector<std::string> names{};  // "DNS:example.com", "IP:127.0.0.1"
    long begins = -3'600;              // seconds from now
    long ends = 86'400;
    bool is_authority = false;
    key_kind key = key_kind::ecdsa;
};

/// A certificate with its key.
class certificate {
public:
    /// Signed by `issuer`, or by itself.
    certificate(const std::string& name, const certificate_options& options, const certificate* issuer = nullptr);

    /// As files, in the folder.
    [[nodiscard]] net::tls_identity put(const temporary_folder& folder) const;

    [[nodiscard]] std::string pem() const;
    /// With a password, where it is given one.
    [[nodiscard]] std::string key_pem(const char* password = nullptr) const;

private:
    std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
    std::unique_ptr<X509, void (*)(X509*)> made_;
    std::string name_;
};

/// A small world: an authority, a server that it has signed for "server.test" and 127.0.0.1, all as files.
struct world {
    world();

    /// One more, signed by the authority.
    [[nodiscard]] net::tls_identity issue(const std::string& name, const certificate_options& options) const;

    /// Trusts the authority.
    [[nodiscard]] net::tls_context client(net::tls_client_options options = {}) const;
    [[nodiscard]] net::tls_context server(net::tls_server_options options = {}) const;

    temporary_folder folder;
    certificate authority;
    std::string authority_file;
    net::tls_identity identity;  // of the server
};

}  // namespace coir::test
