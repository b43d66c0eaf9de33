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

/// An SSL object and the socket that it lives on. Between them stands a BIO of ours that never waits: what OpenSSL
/// wants to read is read if it is there, what it wants to write is sent, and what the socket does not take is kept.
/// So OpenSSL never holds a record that is half sent, which its other calls do not survive; and fibers are suspended
/// outside of it, where an exception may pass and its error queue, the thread's, has been read.
class tls_connection {
public:
    enum class side { client, server };

    tls_connection(std::shared_ptr<tls_configuration> configuration, net::tcp_stream stream, side which);
    ~tls_connection();
    tls_connection(const tls_connection&) = delete;
    tls_connection& operator=(const tls_connection&) = delete;

    /// Has OpenSSL tell the connections of a new context of their sessions, and of certificates that it refuses.
    static void listen_to(tls_configuration& made) noexcept;

    /// Before the handshake of a client: whom it talks to.
    std::error_code expect(std::string_view host, std::uint16_t port);

    void handshake(const deadline& until, std::error_code& ec, const char* operation);
    std::size_t read(std::span<std::byte> into, const deadline& until, std::error_code& ec, const char* operation);
    /// What one record holds of it, which several places share: a head and a body are one record, and one system call.
    std::size_t write(io::const_buffers from, const deadline& until, std::error_code& ec, const char* operation);
    void shutdown(const deadline& until, std::error_code& ec, const char* operation);

    /// Ends the connection. A goodbye (close_notify) is said if that goes without waiting.
    enum class ending { with_goodbye, without };
    void close(ending how) noexcept;

    /// Of a certificate that was refused: whose it is, who has signed it, how long it holds. Empty where none was.
    [[nodiscard]] const std::string& refused_certificate() const noexcept { return refused_; }

    [[nodiscard]] std::string peer_subject() const;
    [[nodiscard]] SSL* handle() const noexcept { return ssl_.get(); }
    [[nodiscard]] net::tcp_stream& tcp() noexcept { return stream_; }

private:
    struct transport;  // the BIO's calls

    [[nodiscard]] static tls_connection& of(SSL* connection) noexcept;
    static int keep_session(SSL* connection, SSL_SESSION* session) noexcept;
    static int judge(int is_good, X509_STORE_CTX* chain) noexcept;

    template <class Call>
    long perform(direction towards, const deadline& until, std::error_code& ec, const char* operation, Call call);
    template <class Call> long outcome_of(Call call) noexcept;
    void fail(long error) noexcept;
    [[nodiscard]] std::error_code cause_of_failure(int kind) noexcept;
    void flush(const deadline& until, std::error_code& ec, const char* operation);
    long send_now(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] bool is_shaken_hands() const noexcept;
    [[nodiscard]] bool may_have_news(const descriptor& at) const noexcept;

    [[nodiscard]] socket& below() noexcept;
    [[nodiscard]] bool has_unsent() const noexcept { return !unsent_.empty(); }

    std::shared_ptr<tls_configuration> configuration_;
    net::tcp_stream stream_;
    std::unique_ptr<SSL, free_tls> ssl_;
    std::string server_;             // host and port, for the sessions of a client
    descriptor* at_ = nullptr;       // what is known of the socket, while OpenSSL is called
    std::vector<std::byte> unsent_;  // records that the socket has not taken yet
    long transport_error_ = 0;       // -errno, of the BIO's last call
    bool at_end_ = false;            // of the TCP stream
    std::string refused_;
    std::error_code failure_;  // after which OpenSSL must not be called any more
};

}  // namespace coir::detail
