// The load generator of the TLS echo benchmark:
//
//     bench_tls_load <server> <connections> <requests>
//
// It works like bench_echo_load, over TLS 1.3 with AES-128-GCM. It starts the server with a certificate chain and a key
// that it creates; all handshakes are complete before the warm-up.

#include "closed_loop.hpp"
#include "net/tls/certificates.hpp"
#include "plain_client.hpp"
#include "server_process.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail_in_openssl() {
    ERR_print_errors_fp(stderr);
    std::exit(EXIT_FAILURE);
}

/// Verifies no certificate: only the server that it started can answer.
SSL_CTX* make_context() {
    SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION);
    if (SSL_CTX_set_ciphersuites(made, "TLS_AES_128_GCM_SHA256") != 1) fail_in_openssl();
    SSL_CTX_set_read_ahead(made, 1);
    return made;
}

/// A client of a `closed_loop`, 64 bytes out and 64 bytes back.
class tls_client {
public:
    tls_client(SSL_CTX* context, std::uint16_t port) : socket_{SOCK_STREAM, port}, ssl_{SSL_new(context), SSL_free} {
        SSL_set_fd(ssl_.get(), fd());
        if (SSL_connect(ssl_.get()) != 1) fail_in_openssl();
        fcntl(fd(), F_SETFL, fcntl(fd(), F_GETFL) | O_NONBLOCK);
    }

    int fd() const { return socket_.fd(); }

    void send_request() {
        static constexpr std::array<char, message_bytes> message{'h', 'e', 'l', 'l', 'o'};
        if (SSL_write(ssl_.get(), message.data(), message_bytes) != message_bytes) fail_in_openssl();
    }

    bool receive_answer() {
        std::array<char, message_bytes> buffer;
        while (received_ < message_bytes) {
            const int n = SSL_read(ssl_.get(), buffer.data(), message_bytes - received_);
            if (n <= 0 && SSL_get_error(ssl_.get(), n) == SSL_ERROR_WANT_READ) return false;
            if (n <= 0) fail_in_openssl();
            received_ += n;
        }
        received_ = 0;
        return true;
    }

private:
    static constexpr int message_bytes = 64;

    bench::client_socket socket_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
    int received_ = 0;  // bytes of the current answer
};

std::vector<tls_client> tls_clients(long count, std::uint16_t port) {
    SSL_CTX* const context = make_context();
    std::vector<tls_client> made;
    for (long i = 0; i < count; ++i) made.emplace_back(context, port);
    SSL_CTX_free(context);
    return made;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s <server> <connections> <requests>\n", argv[0]);
        return EXIT_FAILURE;
    }
    const std::string program = bench::server_program(argv[1]);
    const coir::test::world world;
    const bench::server_process server{{program, world.identity.certificate_chain, world.identity.key}};
    bench::move_to_another_core();
    bench::closed_loop load{tls_clients(std::atol(argv[2]), server.announced_port())};
    bench::report_cpu(server, load, std::atol(argv[3]));
}
