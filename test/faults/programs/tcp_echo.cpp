// TCP: a served listener, connections by endpoint and by name, vectored and spliced transfers, options.
#include <coir/coir.hpp>
#include <coir/io/buffered_reader.hpp>

#include "faults/programs/declared.hpp"

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace coir::faults {

namespace {

void echo(net::tcp_listener& listener) {
    auto peer = listener.accept();
    std::array<std::byte, 16> buffer;
    while (const std::size_t n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
    peer.shutdown();
}

std::string ask(net::tcp_stream& server, std::string_view text) {
    server.set_keep_alive(net::keep_alive{});
    server.write_all(text);
    server.shutdown();
    io::buffered_reader answer{server};
    return std::string{answer.read_until("\n")};
}

/// `serve` only logs the failures of its fibers, so each connection has a fiber of the group here.
std::string one_connection() {
    auto listener = net::tcp_listener::bind({"127.0.0.1", 0});
    std::string answer;
    task_group group;
    group.spawn([&] { echo(listener); });
    group.spawn([&] {
        auto server = net::tcp_stream::connect(listener.local_endpoint());
        answer = ask(server, "over one connection\n");
    });
    group.wait();
    return answer;
}

std::string through_a_proxy() {
    auto listener = net::tcp_listener::bind({"127.0.0.1", 0});
    auto front = net::tcp_listener::bind({"127.0.0.1", 0});
    std::string answer;
    task_group group;
    group.spawn([&] { echo(listener); });
    group.spawn([&] {
        auto client = front.accept();
        auto server = net::tcp_stream::connect("127.0.0.1", listener.local_endpoint().port());
        client.splice_to(server);
        server.shutdown();
        server.splice_to(client);
        client.shutdown();
    });
    group.spawn([&] {
        auto server = net::tcp_stream::connect("localhost", front.local_endpoint().port());
        answer = ask(server, "through a proxy\n");
    });
    group.wait();
    return answer;
}

}  // namespace

std::string tcp_echo(const std::string&) {
    return run([] { return one_connection() + through_a_proxy(); });
}

}  // namespace coir::faults
