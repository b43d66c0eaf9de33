// The TLS echo server with coir: one fiber per connection.
//
//     bench_tls_coir <certificate chain> <key>

#include <coir/net/tls.hpp>
#include <coir/run.hpp>

#include "echo_server.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>

namespace {

void serve(const coir::net::tls_context& context) {
    auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    bench::announce_port(listener.local_endpoint().port());
    listener.serve([&](coir::net::tcp_stream accepted) {
        auto peer = coir::net::tls_stream::accept(context, std::move(accepted));
        std::array<std::byte, bench::echo_buffer_bytes> buffer;
        while (const auto n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
    });
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s <certificate chain> <key>\n", argv[0]);
        return EXIT_FAILURE;
    }
    coir::run([&] { serve(coir::net::tls_context::server({.identities = {{argv[1], argv[2]}}})); });
}
