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

/// The properties of a certificate to make.
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
    /// Signed by `issuer`, or self-signed.
    certificate(const std::string& name, const certificate_options& options, const certificate* issuer = nullptr);

    /// Writes the certificate and its key as files to a folder.
    [[nodiscard]] net::tls_identity put(const temporary_folder& folder) const;

    [[nodiscard]] std::string pem() const;
    /// The key as PEM, encrypted if a password is given.
    [[nodiscard]] std::string key_pem(const char* password = nullptr) const;

private:
    std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
    std::unique_ptr<X509, void (*)(X509*)> made_;
    std::string name_;
};

/// An authority, and a server certificate for "server.test" and 127.0.0.1 signed by it, all as files.
struct world {
    world();

    /// Makes another certificate signed by the authority.
    [[nodiscard]] net::tls_identity issue(const std::string& name, const certificate_options& options) const;

    /// A client context that trusts the authority.
    [[nodiscard]] net::tls_context client(net::tls_client_options options = {}) const;
    [[nodiscard]] net::tls_context server(net::tls_server_options options = {}) const;

    temporary_folder folder;
    certificate authority;
    std::string authority_file;
    net::tls_identity identity;  // the server's
};

}  // namespace coir::test
