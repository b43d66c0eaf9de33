// The echo server with coir on two threads: a scheduler and a listener for each, on one port.

#include <array>
#include <coir/concurrent_channel.hpp>
#include <coir/net/tcp.hpp>
#include <coir/run_on_cores.hpp>
#include <cstddef>
#include <span>

#include "echo_server.hpp"
#include "loopback.hpp"

namespace {

void echo(coir::net::tcp_stream peer) {
    bench::send_at_once(peer.native_handle());
    std::array<std::byte, bench::echo_buffer_bytes> buffer;
    while (const auto n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
}

}  // namespace

int main() {
    coir::concurrent_channel<coir::net::endpoint> taken{1};
    coir::run_on_cores(2, [&](unsigned core) {
        const auto at = core == 0 ? coir::net::endpoint{"127.0.0.1", 0} : taken.recv().value();
        auto listener = coir::net::tcp_listener::bind(at, {.reuse_port = true});
        if (core == 0)
            taken.send(listener.local_endpoint());
        else
            bench::announce_port(at.port());  // now that both listen
        listener.serve(echo);
    });
}
