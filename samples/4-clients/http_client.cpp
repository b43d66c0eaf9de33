// HTTP requests in the style of aiohttp: a session with kept connections, redirects, timeouts, TLS and concurrency.
//
//     http_client            sends requests to a small server of its own
//     http_client URL...     requests these URLs (http or https), all of them concurrently
//
//     aiohttp                                           here
//     async with aiohttp.ClientSession() as session:    http_session session;
//     async with session.get(url) as response:          auto response = session.get(url);
//     response.status, await response.text()            response.status, response.text
//     asyncio.gather(*(fetch(u) for u in urls))         coir::map_concurrent(urls, coir::limit{100}, fetch)
//     asyncio.timeout(1)                                session.get(url, 1s), or coir::with_timeout(1s, ...)

#include <coir/coir.hpp>

#include "session.hpp"

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace http = boost::beast::http;

void show(const http_answer& response) {
    std::cout << "Status: " << response.status << '\n'
              << "Content-type: " << response.headers["Content-Type"] << '\n'
              << "Body: " << response.text.substr(0, 15) << "...\n";
}

// The server: answers requests until the client closes the connection.
void answer(coir::net::tcp_stream peer) try {
    coir::net::asio_stream stream{std::move(peer)};
    boost::beast::flat_buffer buffer;
    for (;;) {
        http::request<http::string_body> request;
        http::read(stream, buffer, request);
        http::response<http::string_body> response{http::status::ok, 11, "<!doctype html><title>hello</title>"};
        response.set(http::field::content_type, "text/html; charset=utf-8");
        if (request.target() == "/old") {
            response.result(http::status::moved_permanently);
            response.set(http::field::location, "/new");
        }
        if (request.target() == "/slow") coir::this_fiber::sleep_for(1h);
        response.prepare_payload();
        http::write(stream, response);
    }
} catch (const boost::system::system_error&) {  // the client has closed the connection
}

void demonstrate() {
    auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    auto server = coir::spawn([&] { listener.serve(answer); });
    const std::string here = "http://" + listener.local_endpoint().to_string();

    http_session session;
    show(session.get(here + "/"));
    std::cout << "after a redirect: " << session.get(here + "/old").from.target << '\n';
    try {
        session.get(here + "/slow", 20ms);
    } catch (const coir::timed_out&) {
        std::cout << "no answer within 20 ms\n";
    }

    const auto began = coir::clock::now();
    const std::vector<std::string> urls(1000, here + "/");
    const auto lengths = coir::map_concurrent(urls, coir::limit{100},
                                              [&](const std::string& each) { return session.get(each).text.size(); });
    const std::chrono::duration<double> took = coir::clock::now() - began;
    std::cout << lengths.size() << " requests at once took " << took.count()
              << " s; connections in all: " << session.connections_made() << '\n';
}

int main(int argc, char** argv) try {
    coir::run([&] {
        if (argc < 2) return demonstrate();
        http_session session;
        const std::vector<std::string> urls(argv + 1, argv + argc);
        const auto responses =
            coir::map_concurrent(urls, coir::limit{100}, [&](const std::string& each) { return session.get(each); });
        for (const http_answer& each : responses) show(each);
    });
} catch (const std::exception& failure) {
    std::cerr << "http_client: " << failure.what() << '\n';
    return 1;
}
