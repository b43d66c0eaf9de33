#include <coir/detail/base/scope_exit.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/net/tls.hpp>
#include <coir/this_fiber.hpp>

#include "io/vectors.hpp"
#include "net/peer_failure.hpp"
#include "net/tls/tls_configuration.hpp"
#include "net/tls/tls_connection.hpp"
#include "net/tls/tls_error.hpp"
#include "thread/offload_in.hpp"

#include <openssl/crypto.h>

#include <array>
#include <exception>
#include <utility>

namespace coir::net {

namespace {

using detail::tls_configuration;
using detail::tls_connection;

/// Reads files and parses hundreds of certificates, so a fiber lets a thread of the pool do it.
template <class Options> std::shared_ptr<tls_configuration> make_configuration(const Options& options) {
    const auto make = [&] {
        auto made = std::make_shared<tls_configuration>(options);
        tls_connection::install_callbacks(*made);
        return made;
    };
    if (!this_fiber::in_fiber()) return make();
    return detail::offload_in(detail::lane::files, [&] {
        // Frees OpenSSL's per-thread state (error queue, random numbers): the threads of the pool end after OpenSSL's
        // own cleanup, which would leak it.
        const detail::scope_exit at_end{[] { ::OPENSSL_thread_stop(); }};
        return make();
    });
}

}  // namespace

tls_context tls_context::client(const tls_client_options& options) { return tls_context{make_configuration(options)}; }

tls_context tls_context::server(const tls_server_options& options) { return tls_context{make_configuration(options)}; }

ssl_ctx_st* tls_context::native_handle() const noexcept { return made_->context(); }

// ---- handshakes --------------------------------------------------------------------------------------------------

namespace {

/// For the messages of exceptions: names the refused certificate.
std::string with_certificate(const std::string& operation, const std::string& refused) {
    return refused.empty() ? operation : operation + " (" + refused + ")";
}

/// Makes the handshake. Returns the connection, or null with `ec`; `refused` describes a refused certificate.
std::unique_ptr<tls_connection> with_handshake(std::unique_ptr<tls_connection> made, const deadline& until,
                                               std::error_code& ec, std::string& refused, const char* operation) {
    made->handshake(until, ec, operation);
    if (!ec) return made;
    refused = made->refused_certificate();
    return nullptr;
}

std::unique_ptr<tls_connection> connected(const std::shared_ptr<tls_configuration>& configuration, tcp_stream stream,
                                          std::string_view host, const deadline& until, std::error_code& ec,
                                          std::string& refused) {
    std::error_code unknown;
    const std::uint16_t port = stream.remote_endpoint(unknown).port();
    auto made = std::make_unique<tls_connection>(configuration, std::move(stream), tls_connection::side::client);
    ec = made->expect(host, port);
    return ec ? nullptr : with_handshake(std::move(made), until, ec, refused, "tls_stream::connect");
}

std::unique_ptr<tls_connection> accepted(const std::shared_ptr<tls_configuration>& configuration, tcp_stream stream,
                                         const deadline& until, std::error_code& ec, std::string& refused) {
    auto made = std::make_unique<tls_connection>(configuration, std::move(stream), tls_connection::side::server);
    return with_handshake(std::move(made), until, ec, refused, "tls_stream::accept");
}

}  // namespace

tls_stream tls_stream::connect(const tls_context& context, std::string_view host, std::uint16_t port, deadline until) {
    return connect(context, tcp_stream::connect(host, port, until), host, until);
}

tls_stream tls_stream::connect(const tls_context& context, std::string_view host, std::uint16_t port, deadline until,
                               std::error_code& ec) {
    tcp_stream stream = tcp_stream::connect(host, port, until, ec);
    return ec ? tls_stream{} : connect(context, std::move(stream), host, until, ec);
}

tls_stream tls_stream::connect(const tls_context& context, tcp_stream stream, std::string_view host, deadline until) {
    std::error_code ec;
    std::string refused;
    tls_stream made{connected(context.made_, std::move(stream), host, until, ec, refused)};
    if (ec) detail::throw_error(ec, with_certificate("tls_stream::connect to " + std::string{host}, refused));
    return made;
}

tls_stream tls_stream::connect(const tls_context& context, tcp_stream stream, std::string_view host, deadline until,
                               std::error_code& ec) {
    std::string ignored;
    return tls_stream{connected(context.made_, std::move(stream), host, until, ec, ignored)};
}

tls_stream tls_stream::accept(const tls_context& context, tcp_stream stream, deadline until) {
    std::error_code ec, unknown;
    std::string refused;
    const endpoint from = stream.remote_endpoint(unknown);
    tls_stream made{accepted(context.made_, std::move(stream), until, ec, refused)};
    if (!ec) return made;
    const std::string operation = with_certificate("tls_stream::accept from " + from.to_string(), refused);
    if (detail::is_fault_of_peer(ec) || ec == std::errc::timed_out) detail::throw_peer_failure(ec, operation);
    detail::throw_error(ec, operation);
}

tls_stream tls_stream::accept(const tls_context& context, tcp_stream stream, deadline until, std::error_code& ec) {
    std::string ignored;
    return tls_stream{accepted(context.made_, std::move(stream), until, ec, ignored)};
}

// ---- life --------------------------------------------------------------------------------------------------------

tls_stream::tls_stream() noexcept = default;

tls_stream::tls_stream(std::unique_ptr<tls_connection> made) noexcept
    : connection_{std::move(made)}, exceptions_{std::uncaught_exceptions()} {}

tls_stream::tls_stream(tls_stream&& other) noexcept = default;

tls_stream& tls_stream::operator=(tls_stream&& other) noexcept {
    if (this == &other) return *this;
    end();
    connection_ = std::move(other.connection_);
    exceptions_ = other.exceptions_;
    return *this;
}

tls_stream::~tls_stream() { end(); }

void tls_stream::end() noexcept {
    const bool is_unwinding = std::uncaught_exceptions() > exceptions_;
    if (connection_ != nullptr)
        connection_->close(is_unwinding ? tls_connection::ending::without : tls_connection::ending::with_close_notify);
    connection_ = nullptr;
}

void tls_stream::close() noexcept {
    if (connection_ != nullptr) connection_->close(tls_connection::ending::with_close_notify);
}

void tls_stream::shutdown(deadline until) {
    std::error_code ec;
    shutdown(until, ec);
    detail::throw_if(ec, *this, "shutdown");
}

void tls_stream::shutdown(deadline until, std::error_code& ec) {
    if (is_closed(ec)) return;
    connection_->shutdown(until, ec, "tls_stream::shutdown");
}

// ---- transfers ---------------------------------------------------------------------------------------------------

bool tls_stream::is_closed(std::error_code& ec) const noexcept {
    if (connection_ != nullptr) [[likely]]
        return false;
    ec = std::make_error_code(std::errc::bad_file_descriptor);
    return true;
}

std::size_t tls_stream::receive(std::span<std::byte> into, const deadline& until, std::error_code& ec) {
    return is_closed(ec) ? 0 : connection_->read(into, until, ec, "tls_stream::read_some");
}

std::size_t tls_stream::receive(io::mutable_buffers into, const deadline& until, std::error_code& ec) {
    return receive(detail::first_of_buffers(into), until, ec);
}

std::size_t tls_stream::send(std::span<const std::byte> from, const deadline& until, std::error_code& ec) {
    const std::array only{from};
    return send(io::const_buffers{only}, until, ec);
}

std::size_t tls_stream::send(io::const_buffers from, const deadline& until, std::error_code& ec) {
    return is_closed(ec) ? 0 : connection_->write(from, until, ec, "tls_stream::write_some");
}

// ---- properties --------------------------------------------------------------------------------------------------

bool tls_stream::is_open() const noexcept { return native_handle() >= 0; }

int tls_stream::native_handle() const noexcept {
    return connection_ != nullptr ? connection_->tcp().native_handle() : -1;
}

ssl_st* tls_stream::tls_handle() const noexcept { return connection_ != nullptr ? connection_->handle() : nullptr; }

tcp_stream& tls_stream::tcp() {
    std::error_code ec;
    if (is_closed(ec)) detail::throw_error(ec, "tls_stream::tcp: the stream has never been connected");
    return connection_->tcp();
}

std::string tls_stream::protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned bytes = 0;
    if (connection_ != nullptr) ::SSL_get0_alpn_selected(connection_->handle(), &chosen, &bytes);
    return {reinterpret_cast<const char*>(chosen), bytes};
}

std::string tls_stream::version() const {
    return connection_ != nullptr ? ::SSL_get_version(connection_->handle()) : "";
}

std::string tls_stream::server_name() const {
    const char* const name =
        connection_ != nullptr ? ::SSL_get_servername(connection_->handle(), TLSEXT_NAMETYPE_host_name) : nullptr;
    return name != nullptr ? name : "";
}

bool tls_stream::is_resumed() const noexcept {
    return connection_ != nullptr && ::SSL_session_reused(connection_->handle()) == 1;
}

std::string tls_stream::peer_subject() const {
    return connection_ != nullptr ? connection_->peer_subject() : std::string{};
}

}  // namespace coir::net
