// The baseline TLS echo server: OpenSSL on the descriptors of one edge-triggered epoll loop.
//
//     bench_tls_epoll <certificate chain> <key>

#include "echo_server.hpp"
#include "epoll_loop.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <unistd.h>

namespace {

/// Sets the same modes as coir.
SSL_CTX* make_context(const char* chain, const char* key) {
    SSL_CTX* const made = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(made, chain) != 1 ||
        SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1)
        ERR_print_errors_fp(stderr), std::exit(EXIT_FAILURE);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(made, 1);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    return made;
}

void accept_all(bench::epoll_loop& loop, SSL_CTX* context, int listener) {
    for (int peer; (peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        bench::send_at_once(peer);
        SSL* const connection = SSL_new(context);
        SSL_set_fd(connection, peer);
        SSL_set_accept_state(connection);
        loop.watch(peer, reinterpret_cast<std::uintptr_t>(connection));
    }
}

/// Completes the handshake if necessary, and reads until OpenSSL has no more data. OpenSSL reads ahead, and a request
/// is shorter than its buffer, so the socket is then empty too, and the next bytes cause a new edge. An answer always
/// fits into the send buffer, as a client waits for it before it sends the next request.
void echo(SSL* connection, bool peer_closed) {
    std::array<char, bench::echo_buffer_bytes> buffer;
    for (;;) {
        ERR_clear_error();
        const int n = SSL_read(connection, buffer.data(), static_cast<int>(buffer.size()));
        if (n <= 0 && SSL_get_error(connection, n) == SSL_ERROR_WANT_READ) return;
        if (n <= 0 || SSL_write(connection, buffer.data(), n) != n) break;
        if (SSL_has_pending(connection) == 0 && !peer_closed) return;
    }
    close(SSL_get_fd(connection));
    SSL_free(connection);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s <certificate chain> <key>\n", argv[0]);
        return EXIT_FAILURE;
    }
    SSL_CTX* const context = make_context(argv[1], argv[2]);
    bench::epoll_loop loop;
    const int listener = bench::bind_to_loopback(SOCK_STREAM | SOCK_NONBLOCK);
    if (listen(listener, 4096) != 0) bench::fail("listen");
    bench::announce_port(bench::port_of(listener));
    loop.watch(listener, 0);
    loop.run([&](std::uint64_t data, std::uint32_t events) {
        if (data == 0) {
            accept_all(loop, context, listener);
        } else {
            echo(reinterpret_cast<SSL*>(static_cast<std::uintptr_t>(data)),
                 (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
    });
}
