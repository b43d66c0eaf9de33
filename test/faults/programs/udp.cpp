// UDP: single datagrams, batches and segments.
#include <coir/coir.hpp>

#include "faults/programs/declared.hpp"
#include "support/text.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace coir::faults {

std::string udp(const std::string&) {
    return run([] {
        auto server = net::udp_socket::bind({"127.0.0.1", 0});
        std::size_t bytes = 0;
        std::string answer;
        task_group group;
        group.spawn([&] {
            std::array<std::byte, 1500> buffer;
            const auto asked = server.receive_from(buffer);
            server.send_to(asked.bytes, asked.peer);
            std::array<std::array<std::byte, 100>, 4> buffers;
            std::array<net::datagram, 4> all;
            for (std::size_t received = 0; received < 10;) {
                for (std::size_t i = 0; i < all.size(); ++i) all[i].bytes = buffers[i];
                const std::size_t n = server.receive_batch(all);
                for (const auto& each : std::span{all}.first(n)) bytes += each.bytes.size();
                received += n;
            }
        });
        group.spawn([&] {
            auto client = net::udp_socket::connect(server.local_endpoint());
            client.set_receive_buffer(100'000);
            client.send("ping");
            std::array<std::byte, 100> text;
            answer = test::as_text(std::span{text}.first(client.receive(text)));

            auto sender = net::udp_socket::bind({"127.0.0.1", 0});
            std::array<std::byte, 50> content{};
            const std::vector<net::datagram> batch(5, {.bytes = content, .peer = server.local_endpoint()});
            sender.send_batch(batch);
            sender.send_segments(content, 10, server.local_endpoint());
        });
        group.wait();
        return answer + ", " + std::to_string(bytes) + " bytes";
    });
}

}  // namespace coir::faults
