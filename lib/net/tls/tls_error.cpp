#include "net/tls/tls_error.hpp"

#include <coir/detail/base/throw_if.hpp>
#include <coir/net/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>

namespace coir::net {

namespace {

class tls_errors : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "tls"; }
    [[nodiscard]] std::string message(int code) const override {
        const char* const reason = ::ERR_reason_error_string(static_cast<unsigned long>(code));
        if (reason != nullptr) return reason;
        std::array<char, 256> text{};
        ::ERR_error_string_n(static_cast<unsigned long>(code), text.data(), text.size());
        return text.data();
    }
    [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
        constexpr int truncated = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);
        return code == truncated ? std::make_error_condition(std::errc::connection_aborted)
                                 : std::error_condition{code, *this};
    }
};

class certificate_errors : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "certificate"; }
    [[nodiscard]] std::string message(int code) const override { return ::X509_verify_cert_error_string(code); }
};

}  // namespace

const std::error_category& tls_category() noexcept {
    static const tls_errors category;
    return category;
}

const std::error_category& certificate_category() noexcept {
    static const certificate_errors category;
    return category;
}

}  // namespace coir::net

namespace coir::detail {

std::error_code take_tls_error(std::errc otherwise) noexcept {
    const unsigned long code = ::ERR_get_error();
    ::ERR_clear_error();
    if (code == 0) return std::make_error_code(otherwise);
    if (ERR_SYSTEM_ERROR(code)) return {ERR_GET_REASON(code), std::system_category()};
    return {static_cast<int>(code), net::tls_category()};
}

bool is_fault_of_peer(const std::error_code& ec) noexcept {
    if (ec.category() != net::tls_category()) return ec.category() == net::certificate_category();
    const auto code = static_cast<unsigned long>(ec.value());
    switch (ERR_GET_REASON(code)) {
    // The certificate of this side. That of the peer would be refused by an error of `certificate_category`.
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK: return false;
    default: return ERR_FATAL_ERROR(code) == 0;
    }
}

void throw_tls_error(const std::string& operation) { throw_error(take_tls_error(), operation); }

}  // namespace coir::detail
