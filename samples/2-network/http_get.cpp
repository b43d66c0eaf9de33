// A real HTTP/1.1 request over TCP, written as plain blocking code.
//
//     http_get                            sends the request to a small server that the sample starts itself
//     http_get http://host[:port]/path    requests that URL
//
//     asyncio                                        coir
//     r, w = await asyncio.open_connection(h, p)     coir::net::tcp_stream::connect(h, p)
//     w.write(b); await w.drain()                    stream.write_all(b)
//     await r.read(n)                                stream.read_some(buffer): 0 at the end of the stream
//     asyncio.start_server(handler, h, p)            coir::net::tcp_listener::bind({h, p}), and its serve(handler)

#include <coir/coir.hpp>

#include "chunks.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

bool read_more(coir::net::tcp_stream& stream, std::string& text) {
    std::array<char, 16384> buffer;
    const std::size_t n = stream.read_some(std::as_writable_bytes(std::span{buffer}));
    text.append(buffer.data(), n);
    return n > 0;
}

// Handles one connection of the server; serve() runs it in a new fiber for each connection.
void answer(coir::net::tcp_stream peer) {
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos) {
        if (!read_more(peer, request)) return;
    }
    const std::string body = "You asked: " + request.substr(0, request.find("\r\n")) + "\n";
    peer.write_all("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\nConnection: close\r\n\r\n" + body);
}

void get(std::string_view url) {
    constexpr std::string_view scheme = "http://";
    if (!url.starts_with(scheme)) throw std::invalid_argument{"not an http:// URL: " + std::string{url}};
    url.remove_prefix(scheme.size());
    const std::string authority{url.substr(0, url.find('/'))};
    const std::string path{url.size() > authority.size() ? url.substr(authority.size()) : "/"};
    const std::string host = authority.substr(0, authority.find(':'));
    std::uint16_t port = 80;
    if (const std::string_view text = std::string_view{authority}.substr(host.size()); !text.empty()) {
        const auto read = std::from_chars(text.data() + 1, text.data() + text.size(), port);
        if (read.ec != std::errc{}) throw std::invalid_argument{"not a port: " + std::string{text.substr(1)}};
    }

    // Name resolution blocks a thread of coir's pool, never this thread.
    auto stream = coir::net::tcp_stream::connect(host, port);
    std::cout << "connected to " << stream.remote_endpoint() << '\n';
    stream.write_all("GET " + path + " HTTP/1.1\r\nHost: " + authority + "\r\nConnection: close\r\n\r\n");

    std::string response;
    while (read_more(stream, response)) {
    }
    const std::size_t head_ends = response.find("\r\n\r\n");
    if (head_ends == std::string::npos) throw std::runtime_error{"this is no answer in HTTP"};
    std::string head = response.substr(0, head_ends);
    std::cout << "status: " << head.substr(0, head.find("\r\n")) << '\n';
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string body = response.substr(head_ends + 4);
    if (head.find("transfer-encoding: chunked") != std::string::npos) body = join_chunks(body);
    std::cout << "body, " << body.size() << " bytes:\n" << body << '\n';
}

int main(int argc, char** argv) try {
    coir::run([&] {
        // One timeout for everything: name resolution, connection, request and answer.
        if (argc > 1) return coir::with_timeout(30s, [&] { get(argv[1]); });

        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});  // port 0: any free port
        auto server = coir::spawn([&] { listener.serve(answer); });
        coir::with_timeout(30s, [&] { get("http://" + listener.local_endpoint().to_string() + "/hello?from=coir"); });
    });  // the destructor of the handle stops and joins the server here
} catch (const std::exception& error) {
    std::cerr << "http_get: " << error.what() << '\n';
    return 1;
}
