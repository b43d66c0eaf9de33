// The UDP echo server with coir: one socket, one fiber, one datagram per call.

#include <coir/net/udp.hpp>
#include <coir/run.hpp>

#include "echo_server.hpp"

#include <array>
#include <cstddef>

int main() {
    coir::run([] {
        auto socket = coir::net::udp_socket::bind({"127.0.0.1", 0});
        bench::announce_port(socket.local_endpoint().port());
        std::array<std::byte, bench::echo_buffer_bytes> buffer;
        for (;;) {
            const auto asked = socket.receive_from(buffer);
            socket.send_to(asked.bytes, asked.peer);
        }
    });
}
