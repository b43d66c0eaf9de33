// A server with one fiber per connection, which Ctrl-C shuts down cleanly.
//
//     echo_server          starts on a free port, runs thousands of clients itself, and sends itself a Ctrl-C
//     echo_server 7000     serves on 127.0.0.1:7000 until Ctrl-C; try it with: nc 127.0.0.1 7000
//
//     asyncio                                         coir
//     asyncio.start_server(handler, h, p)             listener = coir::net::tcp_listener::bind({h, p})
//     server.serve_forever()                          listener.serve(handler)
//     loop.add_signal_handler(SIGINT, f)              coir::signal_set interrupt{SIGINT}; interrupt.wait(), in a fiber
//     server.close(); cancel and await every task     server.request_stop(); server.join()

#include <coir/coir.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace std::chrono_literals;
using coir::net::tcp_stream;

// Plain integers: all fibers share one thread, and the scheduler switches only where a fiber waits.
struct {
    int open = 0, most = 0;
    long total = 0, messages = 0;
} connections;

void echo(tcp_stream peer) {
    struct counted {
        counted() { ++connections.total, connections.most = std::max(connections.most, ++connections.open); }
        ~counted() { --connections.open; }  // runs whenever the connection ends, also after a stop
    } const open;
    std::array<std::byte, 1024> buffer;
    while (const std::size_t n = peer.read_some(buffer)) {  // 0: the client has closed the connection
        peer.write_all(std::span{buffer}.first(n));
        ++connections.messages;
    }
}

// A client that receives five answers and keeps its connection open.
tcp_stream talk(const coir::net::endpoint& to) {
    auto stream = tcp_stream::connect(to, 10s);
    std::array<char, 5> answer;
    for (int i = 0; i < 5; ++i) {
        stream.write_all("hello");
        const auto n = stream.read_exactly(std::as_writable_bytes(std::span{answer}), 10s);
        if (std::string_view{answer.data(), n} != "hello") throw std::runtime_error{"this was no echo"};
    }
    return stream;
}

// Raises the limit of descriptors. Each connection needs one on both sides, and many shells set the soft limit to 1024.
std::size_t clients_possible() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return std::min<std::size_t>(2000, (files.rlim_cur - 50) / 2);
}

int main(int argc, char** argv) try {
    coir::run([&] {
        coir::signal_set interrupt{SIGINT, SIGTERM};
        const std::string port = argc > 1 ? argv[1] : "0";  // 0: any free port
        auto listener = coir::net::tcp_listener::bind(coir::net::endpoint::parse("127.0.0.1:" + port));
        auto server = coir::spawn([&] { listener.serve(echo); });
        std::cout << "echo server on " << listener.local_endpoint() << ", until Ctrl-C" << std::endl;

        std::vector<tcp_stream> clients;
        if (argc <= 1) {
            const auto where = listener.local_endpoint();
            const std::vector<std::function<tcp_stream()>> calls(clients_possible(), [&] { return talk(where); });
            clients = coir::gather(calls);  // runs all clients concurrently
            std::printf("%zu clients had 5 answers each; %d connections are open at once\n", clients.size(),
                        connections.most);
            std::printf("raising SIGINT, as Ctrl-C does\n");
            std::raise(SIGINT);
        }

        std::printf("got signal %d: the server stops\n", interrupt.wait());
        server.request_stop();
        server.join();  // also joins the fibers of all its connections
        std::printf("the server has ended: %ld connections, %ld messages, %d still open\n", connections.total,
                    connections.messages, connections.open);
        std::array<std::byte, 1> nothing;
        const auto ended = [&](tcp_stream& client) { return client.read_some(nothing, 10s) == 0; };
        if (argc <= 1) std::printf("%td clients read the end of their stream\n", std::ranges::count_if(clients, ended));
    });
} catch (const std::exception& error) {
    std::cerr << "echo_server: " << error.what() << '\n';
    return 1;
}
