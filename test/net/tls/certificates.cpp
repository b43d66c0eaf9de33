#include "net/tls/certificates.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <stdexcept>

namespace coir::test {

namespace {

void check(bool done) {
    if (!done) throw std::runtime_error{"a certificate for a test cannot be made"};
}

void add_extension(X509* to, int which, const std::string& value) {
    X509_EXTENSION* const made = ::X509V3_EXT_conf_nid(nullptr, nullptr, which, value.c_str());
    check(made != nullptr && ::X509_add_ext(to, made, -1) == 1);
    ::X509_EXTENSION_free(made);
}

void name_it(X509_NAME* name, const std::string& text) {
    check(::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.c_str()),
                                       -1, -1, 0) == 1);
}

template <class Write> std::string pem_by(Write write) {
    const std::unique_ptr<BIO, int (*)(BIO*)> out{::BIO_new(::BIO_s_mem()), ::BIO_free};
    check(write(out.get()) == 1);
    char* begin = nullptr;
    const long bytes = BIO_get_mem_data(out.get(), &begin);
    return {begin, static_cast<std::size_t>(bytes)};
}

std::string put_file(const temporary_folder& folder, const std::string& name, const std::string& content) {
    const std::string path = folder.file(name);
    std::ofstream{path} << content;
    return path;
}

}  // namespace

certificate::certificate(const std::string& name, const certificate_options& options, const certificate* issuer)
    : key_{options.key == key_kind::rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), ::EVP_PKEY_free},
      made_{::X509_new(), ::X509_free}, name_{name} {
    static long serial = 1;
    check(key_ != nullptr && made_ != nullptr);
    X509* const made = made_.get();
    ::X509_set_version(made, X509_VERSION_3);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(made), ++serial);
    ::X509_gmtime_adj(::X509_getm_notBefore(made), options.begins);
    ::X509_gmtime_adj(::X509_getm_notAfter(made), options.ends);
    name_it(::X509_get_subject_name(made), name);
    ::X509_set_issuer_name(made, ::X509_get_subject_name(issuer != nullptr ? issuer->made_.get() : made));
    ::X509_set_pubkey(made, key_.get());
    add_extension(made, NID_basic_constraints, options.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    std::string names;
    for (const std::string& each : options.names) names += (names.empty() ? "" : ",") + each;
    if (!names.empty()) add_extension(made, NID_subject_alt_name, names);
    check(::X509_sign(made, (issuer != nullptr ? issuer->key_ : key_).get(), ::EVP_sha256()) > 0);
}

net::tls_identity certificate::put(const temporary_folder& folder) const {
    return {put_file(folder, name_ + ".pem", pem()), put_file(folder, name_ + ".key", key_pem())};
}

std::string certificate::pem() const {
    return pem_by([this](BIO* out) { return ::PEM_write_bio_X509(out, made_.get()); });
}

std::string certificate::key_pem(const char* password) const {
    const EVP_CIPHER* const cipher = password != nullptr ? ::EVP_aes_128_cbc() : nullptr;
    const auto bytes = password != nullptr ? static_cast<int>(std::char_traits<char>::length(password)) : 0;
    return pem_by([&](BIO* out) {
        return ::PEM_write_bio_PrivateKey(out, key_.get(), cipher, reinterpret_cast<const unsigned char*>(password),
                                          bytes, nullptr, nullptr);
    });
}

world::world()
    : authority{"coir test authority", {.is_authority = true}}, authority_file{put_file(folder, "authority.pem",
                                                                                        authority.pem())},
      identity{issue("server.test", {.names = {"DNS:server.test", "IP:127.0.0.1", "IP:::1"}})} {}

net::tls_identity world::issue(const std::string& name, const certificate_options& options) const {
    return certificate{name, options, &authority}.put(folder);
}

net::tls_context world::client(net::tls_client_options options) const {
    if (options.authorities.empty()) options.authorities = authority_file;
    return net::tls_context::client(options);
}

net::tls_context world::server(net::tls_server_options options) const {
    if (options.identities.empty()) options.identities = {identity};
    return net::tls_context::server(options);
}

}  // namespace coir::test
