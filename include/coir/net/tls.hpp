#pragma once

#include <coir/deadline.hpp>
#include <coir/io/byte_stream.hpp>
#include <coir/net/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// @file
/// TLS with OpenSSL 3. This is the optional part `coir::tls` (find_package(coir COMPONENTS tls)).

struct ssl_ctx_st;
struct ssl_st;

namespace coir::detail {
class tls_connection;
class tls_configuration;
}  // namespace coir::detail

namespace coir::net {

/// A certificate and its key, as files in PEM format. The chain file begins with the certificate itself, followed by
/// the intermediate certificates up to an authority that the peer trusts.
struct tls_identity {
    std::filesystem::path certificate_chain;
    std::filesystem::path key;
};

/// Options of a client. The certificate of the server must lead to a trusted authority and name the requested host;
/// otherwise the handshake fails. Only `insecure_skip_verification` turns this off.
struct tls_client_options {
    /// The trusted authorities: a file in PEM format. Empty: the file that SSL_CERT_FILE names (secure_getenv(3)), or
    /// else the authorities that the system trusts.
    std::filesystem::path authorities{};
    /// For servers that ask for a client certificate; at most one.
    std::vector<tls_identity> identity{};
    /// Protocols for ALPN (RFC 7301), in order of preference: "h2", "http/1.1".
    std::vector<std::string> protocols{};
    /// Skips the verification of the server. Anyone on the network path can then read and change all data. For tests.
    bool insecure_skip_verification = false;
};

/// Whether a server asks clients for certificates.
enum class client_certificates { ignored, verified_if_sent, required };

/// Options of a server.
struct tls_server_options {
    /// At least one. If there are several, a client gets the first one that names the requested host (SNI), or else the
    /// first of all.
    std::vector<tls_identity> identities{};
    /// Protocols for ALPN, in order of preference.
    std::vector<std::string> protocols{};
    client_certificates clients = client_certificates::ignored;
    /// The authorities that issue client certificates: a file in PEM format. Required if, and only if, client
    /// certificates are verified.
    std::filesystem::path client_authorities{};
};

/// The state that connections share: certificates, keys, rules, and the sessions that can be resumed. TLS 1.2 and 1.3.
/// A handle: copies refer to the same state. Any number of connections, of any schedulers, may use it.
///
/// Creation reads files; if a fiber calls it, a thread for files does so. Throws `std::system_error` naming
/// the file: `no_such_file_or_directory`, or an error in `tls_category()` if OpenSSL refuses the content, for example a
/// key that does not belong to its certificate. Throws `invalid_argument` for options that contradict each other.
class tls_context {
public:
    static tls_context client(const tls_client_options& options = {});
    static tls_context server(const tls_server_options& options);

    /// For settings that this class does not offer: ciphers, curves, a log of keys. They hold for the connections of all
    /// identities. Change them before the first connection. The callbacks for certificates (SSL_CTX_set_cert_cb), names
    /// (SNI), protocols (ALPN), verification, session tickets, and a client's new sessions are used by coir; replace one
    /// only to do its task yourself.
    [[nodiscard]] ssl_ctx_st* native_handle() const noexcept;

private:
    friend class tls_stream;
    explicit tls_context(std::shared_ptr<detail::tls_configuration> made) noexcept : made_{std::move(made)} {}

    std::shared_ptr<detail::tls_configuration> made_;
};

/// A TLS connection over TCP. Its transfers are those of a `byte_source` and a `byte_sink`, with two differences. A
/// write that is cut short has still accepted the data that was already encrypted; the next write sends the rest of
/// that data first. A stream that ends without close_notify from the peer is an error, since anyone on the network path
/// can end a TCP connection: "unexpected eof while reading", in `tls_category()`. It equals the condition
/// `std::errc::connection_aborted`.
///
/// Move-only. The rules for concurrent use are those of a `stream`: one fiber may read while another writes. The
/// destructor closes the connection. It sends close_notify, unless it runs during the unwinding of an exception: the
/// peer must not take incomplete data for complete.
///
/// Any problem with a certificate ends the handshake, and the error names the problem (`certificate_category()`:
/// expired, another host, unknown authority). A handshake needs 8 KiB of stack, 14 KiB with an RSA key (tools/bench).
/// It costs a server about a millisecond of CPU time with an RSA key, a tenth of that with ECDSA.
///
/// @code
/// #include <coir/net/tls.hpp>
/// auto context = coir::net::tls_context::client();  // create it once
/// auto fetch = [&](const char* host) {
///     auto stream = coir::net::tls_stream::connect(context, host, 443, 10s);
///     stream.write_all("GET / HTTP/1.0\r\n\r\n");
///     std::string answer(4096, ' ');
///     answer.resize(stream.read_exactly(std::as_writable_bytes(std::span{answer})));
///     return answer;
/// };
/// try {
///     fetch("localhost");
/// } catch (const std::system_error&) {  // no server, or no trusted certificate
/// }
/// @endcode
class tls_stream : public io::byte_source<tls_stream>, public io::byte_sink<tls_stream> {
public:
    static constexpr char type_name[] = "tls_stream";

    /// A closed stream.
    tls_stream() noexcept;
    tls_stream(tls_stream&& other) noexcept;
    tls_stream& operator=(tls_stream&& other) noexcept;
    ~tls_stream();

    /// Connects (`tcp_stream::connect`) and makes the handshake of a client. The certificate must name `host`. `host`
    /// is sent to the server (SNI), unless it is a numeric address. Resumes a session with that host and port if the
    /// context has one. Throws what `tcp_stream::connect` throws, and `std::system_error` in `certificate_category()`
    /// and `tls_category()`, naming host and certificate.
    static tls_stream connect(const tls_context& context, std::string_view host, std::uint16_t port,
                              deadline until = never);
    static tls_stream connect(const tls_context& context, std::string_view host, std::uint16_t port, deadline until,
                              std::error_code& ec);

    /// Makes the same handshake on an existing connection, for example through a proxy. The connection is closed if the
    /// handshake fails.
    static tls_stream connect(const tls_context& context, tcp_stream connected, std::string_view host,
                              deadline until = never);
    static tls_stream connect(const tls_context& context, tcp_stream connected, std::string_view host, deadline until,
                              std::error_code& ec);

    /// Makes the handshake of a server on an accepted connection, which is closed if the handshake fails. Set a
    /// deadline, so that clients that connect and send nothing do not hold the connection.
    ///
    /// A port that can be reached is probed all the time, by clients that leave at once, send nothing, or do not speak
    /// TLS. So `tcp_listener::serve` does not report these failures, nor clients without a valid certificate, nor a
    /// deadline of `accept` that has passed. Catch the exception to log it.
    static tls_stream accept(const tls_context& context, tcp_stream accepted, deadline until = never);
    static tls_stream accept(const tls_context& context, tcp_stream accepted, deadline until, std::error_code& ec);

    /// Sends close_notify: the peer reads the end of the stream; data from the peer can still be read.
    void shutdown(deadline until = never);
    void shutdown(deadline until, std::error_code& ec);

    /// Closes the connection. Sends close_notify if that is possible without waiting. Calls in which other fibers are
    /// suspended fail with `operation_canceled`. Never waits.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept;

    /// The descriptor of the socket; -1 if the stream is closed.
    [[nodiscard]] int native_handle() const noexcept;

    /// For OpenSSL functions that this class does not offer; nullptr if the stream has never been connected.
    [[nodiscard]] ssl_st* tls_handle() const noexcept;

    /// The underlying connection, for its endpoints and options. Throws `bad_file_descriptor` if the stream has never
    /// been connected.
    [[nodiscard]] tcp_stream& tcp();

    /// The protocol that both sides have agreed on (ALPN); empty if they have not.
    [[nodiscard]] std::string protocol() const;

    /// "TLSv1.3" or "TLSv1.2".
    [[nodiscard]] std::string version() const;

    /// The host that the client has requested (SNI); empty if it has named none.
    [[nodiscard]] std::string server_name() const;

    /// Whether an earlier session was resumed; then no certificates were exchanged.
    [[nodiscard]] bool is_resumed() const noexcept;

    /// The subject of the certificate of the peer, in the format of RFC 2253 ("CN=example.com"); empty if it has sent
    /// none.
    [[nodiscard]] std::string peer_subject() const;

private:
    friend byte_source;
    friend byte_sink;

    explicit tls_stream(std::unique_ptr<detail::tls_connection> made) noexcept;

    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec);
    std::size_t receive(io::mutable_buffers into, const deadline& until, std::error_code& ec);
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec);
    std::size_t send(io::const_buffers from, const deadline& until, std::error_code& ec);

    void end() noexcept;
    [[nodiscard]] bool is_closed(std::error_code& ec) const noexcept;

    std::unique_ptr<detail::tls_connection> connection_;
    int exceptions_ = 0;  // exceptions in flight when the stream was created
};

/// The category of errors that OpenSSL reports; the message is the text of OpenSSL's reason. "wrong version number":
/// the peer does not speak TLS. "tlsv1 alert unknown ca": the last alert that the peer has sent.
[[nodiscard]] const std::error_category& tls_category() noexcept;

/// The category of certificate errors: X509_V_ERR_CERT_HAS_EXPIRED and others (x509_vfy.h), with OpenSSL's text.
[[nodiscard]] const std::error_category& certificate_category() noexcept;

}  // namespace coir::net
