#include <coir/coir.hpp>
#include <coir/net/asio.hpp>
#include <coir/net/tls.hpp>

#include "net/tls/tls_pair.hpp"
#include "support/in_scheduler.hpp"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::asio_stream;
using coir::net::tcp_stream;
using coir::net::tls_stream;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

namespace {

/// Runs `server` and `client` in fibers, on the two ends of a connection: once plain, once with TLS.
template <class Server, class Client> void on_both_kinds(Server server, Client client) {
    in_scheduler([&] {
        auto ends = connection::make();
        coir::task_group fibers;
        fibers.spawn([&] { server(asio_stream{std::move(ends.far)}); });
        fibers.spawn([&] { client(asio_stream{std::move(ends.near)}); });
        fibers.wait();
    });
    in_scheduler([&] {
        const world all;
        auto pair = shake_hands(all.client(), all.server());
        coir::task_group fibers;
        fibers.spawn([&] { server(asio_stream{std::move(pair.server)}); });
        fibers.spawn([&] { client(asio_stream{std::move(pair.client)}); });
        fibers.wait();
    });
}

}  // namespace

TEST_CASE("beast: requests and responses, several on one connection, with bodies of megabytes") {
    const auto serve = [](auto stream) {
        beast::flat_buffer buffer;
        for (;;) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(std::uint64_t{10} << 20);
            beast::error_code ec;
            http::read(stream, buffer, parser, ec);
            if (ec == http::error::end_of_stream) return;
            REQUIRE_FALSE(ec);
            http::response<http::string_body> response{http::status::ok, 11, parser.get().body()};
            response.set("X-Target", parser.get().target());
            response.prepare_payload();
            http::write(stream, response);
        }
    };
    const auto ask = [](auto stream) {
        beast::flat_buffer buffer;
        for (const std::size_t bytes : {0, 1, 100, 3 << 20}) {
            http::request<http::string_body> request{http::verb::post, "/echo", 11, std::string(bytes, 'x')};
            request.prepare_payload();
            http::write(stream, request);
            http::response<http::string_body> response;
            http::read(stream, buffer, response);
            CHECK(response.result() == http::status::ok);
            CHECK(response["X-Target"] == "/echo");
            CHECK(response.body() == request.body());
        }
        if constexpr (requires { stream.next_layer().shutdown(coir::never); }) stream.next_layer().shutdown();
    };
    on_both_kinds(serve, ask);
}

TEST_CASE("beast: chunked bodies are written and read") {
    const auto serve = [](auto stream) {
        http::response<http::empty_body> response{http::status::ok, 11};
        response.chunked(true);
        http::response_serializer<http::empty_body> head{response};
        http::write_header(stream, head);
        for (const std::string part : {"one ", "two ", "three"}) {
            boost::asio::write(stream, http::make_chunk(boost::asio::buffer(part)));
        }
        boost::asio::write(stream, http::make_chunk_last());
        std::array<char, 1> place;
        beast::error_code ec;
        stream.read_some(boost::asio::buffer(place), ec);
    };
    const auto ask = [](auto stream) {
        beast::flat_buffer buffer;
        http::response<http::string_body> response;
        http::read(stream, buffer, response);
        CHECK(response.chunked());
        CHECK(response.body() == "one two three");
    };
    on_both_kinds(serve, ask);
}

TEST_CASE("beast: WebSocket: handshake, messages in both directions, ping, and an orderly close") {
    const auto serve = [](auto stream) {
        websocket::stream<decltype(stream)> socket{std::move(stream)};
        socket.accept();
        for (;;) {
            beast::flat_buffer message;
            beast::error_code ec;
            socket.read(message, ec);
            if (ec == websocket::error::closed) break;
            REQUIRE_FALSE(ec);
            socket.text(socket.got_text());
            socket.write(message.data());
        }
        CHECK(socket.reason().code == websocket::close_code::normal);
    };
    const auto talk = [](auto stream) {
        websocket::stream<decltype(stream)> socket{std::move(stream)};
        socket.handshake("server.test", "/chat");
        for (const std::size_t bytes : {0, 1, 1'000, 1 << 20}) {
            const std::string text(bytes, 'x');
            socket.write(boost::asio::buffer(text));
            beast::flat_buffer answer;
            socket.read(answer);
            CHECK(beast::buffers_to_string(answer.data()) == text);
        }
        socket.ping("are you there");
        socket.close(websocket::close_code::normal);
    };
    on_both_kinds(serve, talk);
}

TEST_CASE("beast: a timeout and a stop end a read that waits for the rest of a request") {
    in_scheduler([] {
        auto ends = connection::make();
        ends.far.write_all("GET / HTTP/1.1\r\nHost: ");
        asio_stream<tcp_stream&> stream{ends.near};
        beast::flat_buffer buffer;
        http::request_parser<http::string_body> request;
        beast::error_code ec;
        stream.expires_at(1ms);
        http::read(stream, buffer, request, ec);
        CHECK(ec == boost::asio::error::timed_out);
        stream.expires_at(coir::never);
        auto reader = coir::spawn([&] { http::read(stream, buffer, request); });
        coir::this_fiber::yield();
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
        ends.far.write_all("server.test\r\n\r\n");  // no earlier byte is lost
        http::read(stream, buffer, request);
        CHECK(request.get()["Host"] == "server.test");
    });
}
