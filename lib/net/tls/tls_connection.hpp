#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/net/tcp.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace coir::detail {

class tls_configuration;

struct free_tls {
    void operator()(SSL* connection) const noexcept { ::SSL_free(connection); }
};

/// An SSL object and its socket, connected with a custom BIO that never waits. It reads the data that is there, writes
/// what the socket accepts, and keeps the rest. So OpenSSL never holds a partly sent record, which its other calls do
/// not support. And fibers are suspended outside of OpenSSL, where exceptions may pass, and after the error queue of
/// the thread has been read.
class tls_connection {
public:
    enum class side { client, server };

    tls_connection(std::shared_ptr<tls_configuration> configuration, net::tcp_stream stream, side which);
    ~tls_connection();
    tls_connection(const tls_connection&) = delete;
    tls_connection& operator=(const tls_connection&) = delete;

    /// Installs the callbacks of a new context: for new sessions, and for refused certificates.
    static void install_callbacks(tls_configuration& made) noexcept;

    /// Sets the expected server. Call it before the handshake of a client.
    std::error_code expect(std::string_view host, std::uint16_t port);

    void handshake(const deadline& until, std::error_code& ec, const char* operation);
    std::size_t read(std::span<std::byte> into, const deadline& until, std::error_code& ec, const char* operation);
    /// Writes at most one record. Several buffers share it: a header and a body are then one record and one system
    /// call. Returns the number of bytes.
    std::size_t write(io::const_buffers from, const deadline& until, std::error_code& ec, const char* operation);
    void shutdown(const deadline& until, std::error_code& ec, const char* operation);

    /// Closes the connection. close_notify is sent only if that is possible without waiting.
    enum class ending { with_close_notify, without };
    void close(ending how) noexcept;

    /// Subject, issuer and validity of the certificate that was refused, for messages; empty if none was.
    [[nodiscard]] const std::string& refused_certificate() const noexcept { return refused_; }

    [[nodiscard]] std::string peer_subject() const;
    [[nodiscard]] SSL* handle() const noexcept { return ssl_.get(); }
    [[nodiscard]] net::tcp_stream& tcp() noexcept { return stream_; }

private:
    struct transport;  // the BIO's calls

    [[nodiscard]] static tls_connection& of(SSL* connection) noexcept;
    static int keep_session(SSL* connection, SSL_SESSION* session) noexcept;
    static int record_refused(int is_good, X509_STORE_CTX* chain) noexcept;

    template <class Call>
    long perform(direction towards, const deadline& until, std::error_code& ec, const char* operation, Call call);
    template <class Call> long outcome_of(Call call) noexcept;
    void fail(long error) noexcept;
    [[nodiscard]] std::error_code cause_of_failure(int kind) noexcept;
    void flush(const deadline& until, std::error_code& ec, const char* operation);
    long send_now(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] bool is_handshake_done() const noexcept;
    [[nodiscard]] bool may_have_input(const descriptor& at) const noexcept;

    [[nodiscard]] socket& below() noexcept;
    [[nodiscard]] bool has_unsent() const noexcept { return !unsent_.empty(); }

    std::shared_ptr<tls_configuration> configuration_;
    net::tcp_stream stream_;
    std::unique_ptr<SSL, free_tls> ssl_;
    std::string server_;             // host and port, for the sessions of a client
    descriptor* at_ = nullptr;       // the reactor's record of the socket; set while OpenSSL is called
    std::vector<std::byte> unsent_;  // bytes of records that the socket has not accepted yet
    long transport_error_ = 0;       // -errno of the BIO in the last call of OpenSSL; 0: none
    bool at_end_ = false;            // whether the TCP stream has ended
    std::string refused_;
    std::error_code failure_;  // once set, OpenSSL must not be called any more
};

}  // namespace coir::detail
