// The echo server with coir: one fiber per connection.

#include <coir/net/tcp.hpp>
#include <coir/run.hpp>

#include "echo_server.hpp"
#include "loopback.hpp"

#include <array>
#include <cstddef>
#include <span>

int main() {
    coir::run([] {
        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        bench::announce_port(listener.local_endpoint().port());
        listener.serve([](coir::net::tcp_stream peer) {
            bench::send_at_once(peer.native_handle());
            std::array<std::byte, bench::echo_buffer_bytes> buffer;
            while (const auto n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
        });
    });
}
