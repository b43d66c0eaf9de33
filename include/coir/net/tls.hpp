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

/// TLS by OpenSSL 3: the optional part `coir::tls` (find_package(coir COMPONENTS tls)).

struct ssl_ctx_st;
struct ssl_st;

namespace coir::detail {
class tls_connection;
class tls_configuration;
}  // namespace coir::detail

namespace coir::net {

/// A certificate and its key, as files in PEM. The chain begins with the certificate itself; what lies between it and
/// an authority that the peer knows follows.
struct tls_identity {
    std::filesystem::path certificate_chain;
    std::filesystem::path key;
};

/// For the side that connects. The peer's certificate must lead to an authority that is trusted and name the host that
/// was asked for, or there is no connection: that is so unless `insecure_skip_verification` is set.
struct tls_client_options {
    /// Whom to trust: a file in PEM. Empty: those that the system trusts, or what SSL_CERT_FILE names.
    std::filesystem::path authorities{};
    /// For servers that ask who is there.
    std::vector<tls_identity> identity{};
    /// Protocols for ALPN (RFC 7301), the preferred one first: "h2", "http/1.1".
    std::vector<std::string> protocols{};
    /// Whoever sits on the way can read and change all of it. For tests.
    bool insecure_skip_verification = false;
};

/// Whether a server asks clients for certificates.
enum class client_certificates { ignored, verified_if_sent, required };

/// For the side that accepts.
struct tls_server_options {
    /// One at least. Where there are several, a client gets the first that names the host it asks for (SNI), or else
    /// the first of all.
    std::vector<tls_identity> identities{};
    std::vector<std::string> protocols{};
    client_certificates clients = client_certificates::ignored;
    /// Who signs those of clients: a file in PEM. Must be given where they are looked at.
    std::filesystem::path client_authorities{};
};

/// What connections share: certificates, keys, rules, and the sessions that are resumed. TLS 1.2 and 1.3. A handle:
/// copies stand for the same one. Made once, used by any number of connections of any schedulers.
///
/// Making one reads files, in a thread of the offload pool where it is called by a fiber. Throws `std::system_error`
/// naming the file: `no_such_file_or_directory`, and in `tls_category()` what OpenSSL says of its content, a key that
/// does not belong to its certificate among it; `invalid_argument` for options that contradict each other.
class tls_context {
public:
    static tls_context client(const tls_client_options& options = {});
    static tls_context server(const tls_server_options& options);

    /// For what OpenSSL can and this does not, before the first connection: ciphers, curves, a log of keys.
    [[nodiscard]] ssl_ctx_st* native_handle() const noexcept;

private:
    friend class tls_stream;
    explicit tls_context(std::shared_ptr<detail::tls_configuration> made) noexcept : made_{std::move(made)} {}

    std::shared_ptr<detail::tls_configuration> made_;
};

/// A TCP connection with TLS on it. Its transfers are those of a `byte_source` and a `byte_sink`, with two differences:
/// a write that is cut short has been taken all the same, as far as it was encrypted: what is left of it goes out in
/// front of the next one. And a stream that ends without the peer's word (close_notify) is a failure, as whoever sits
/// on the way can end a connection: "unexpected eof while reading", in `tls_category()`.
///
/// Move-only. Who may use it when is as with a `stream`: one fiber may read while another writes. The destructor closes
/// it: with close_notify, unless it runs because an exception is thrown, so that a peer does not take for the whole
/// what is a part.
///
/// Connections fail closed: whatever is wrong with a certificate ends the handshake, and the error says what it is
/// (`certificate_category()`: expired, another host, an authority that nobody knows). A handshake takes 8 KiB of stack,
/// 14 with an RSA key (tools/bench), and a millisecond or so of computing for a server with an RSA key; ECDSA's is a
/// tenth of it.
///
/// @code
/// #include <coir/net/tls.hpp>
/// auto context = coir::net::tls_context::client();  // made once
/// auto fetch = [&](const char* host) {
///     auto stream = coir::net::tls_stream::connect(context, host, 443, 10s);
///     stream.write_all("GET / HTTP/1.0\r\n\r\n");
///     std::string answer(4096, ' ');
///     answer.resize(stream.read_exactly(std::as_writable_bytes(std::span{answer})));
///     return answer;
/// };
/// try {
///     fetch("localhost");
/// } catch (const std::system_error&) {  // nobody there, or nobody to be trusted
/// }
/// @endcode
class tls_stream : public io::byte_source<tls_stream>, public io::byte_sink<tls_stream> {
public:
    static constexpr char type_name[] = "tls_stream";

    /// A closed one.
    tls_stream() noexcept;
    tls_stream(tls_stream&& other) noexcept;
    tls_stream& operator=(tls_stream&& other) noexcept;
    ~tls_stream();

    /// Connects (`tcp_stream::connect`), and shakes hands as a client. `host` is what the certificate must name, and
    /// what the server is told (SNI) where it is not an address. A session with that host and port is resumed if the
    /// context has one. Throws what `tcp_stream::connect` throws, and `std::system_error` in `certificate_category()`
    /// and `tls_category()`, naming host and certificate.
    static tls_stream connect(const tls_context& context, std::string_view host, std::uint16_t port,
                              deadline until = never);
    static tls_stream connect(const tls_context& context, std::string_view host, std::uint16_t port, deadline until,
                              std::error_code& ec);

    /// The same on a connection that is there, through a proxy perhaps; it is closed when the handshake fails.
    static tls_stream connect(const tls_context& context, tcp_stream connected, std::string_view host,
                              deadline until = never);
    static tls_stream connect(const tls_context& context, tcp_stream connected, std::string_view host, deadline until,
                              std::error_code& ec);

    /// Shakes hands as a server, on what a listener has accepted. A limit in time keeps those away who connect and then
    /// say nothing.
    static tls_stream accept(const tls_context& context, tcp_stream accepted, deadline until = never);
    static tls_stream accept(const tls_context& context, tcp_stream accepted, deadline until, std::error_code& ec);

    /// Says that no more will be written (close_notify): the peer reads the end of the stream, while its own data still
    /// comes.
    void shutdown(deadline until = never);
    void shutdown(deadline until, std::error_code& ec);

    /// Ends the connection, with close_notify where that goes without waiting, and the waits of other fibers on it with
    /// `operation_canceled`. Never waits.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept;

    /// Of the socket; -1 when the stream is closed.
    [[nodiscard]] int native_handle() const noexcept;

    /// For what OpenSSL can and this does not; nullptr when there never was a connection.
    [[nodiscard]] ssl_st* tls_handle() const noexcept;

    /// The connection below: for its endpoints and options. Throws `bad_file_descriptor` where there never was one.
    [[nodiscard]] tcp_stream& tcp();

    /// The protocol that both sides agree on (ALPN); empty where they do not.
    [[nodiscard]] std::string protocol() const;

    /// "TLSv1.3" or "TLSv1.2".
    [[nodiscard]] std::string version() const;

    /// The host that the client asked for (SNI); empty where it did not say.
    [[nodiscard]] std::string server_name() const;

    /// Whether an earlier session was taken up again, and certificates were not sent.
    [[nodiscard]] bool is_resumed() const noexcept;

    /// Whose certificate the peer has shown, in the form of RFC 2253 ("CN=example.com"); empty where it has none.
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
    int exceptions_ = 0;  // in flight when it was made
};

/// Of what OpenSSL reports: its reason's text is the message, "wrong version number" for a peer that does not speak
/// TLS, "tlsv1 alert unknown ca" for what the peer has said last.
[[nodiscard]] const std::error_category& tls_category() noexcept;

/// Of what is wrong with a certificate: X509_V_ERR_CERT_HAS_EXPIRED and its like (x509_vfy.h), with OpenSSL's text.
[[nodiscard]] const std::error_category& certificate_category() noexcept;

}  // namespace coir::net
