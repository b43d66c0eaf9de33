// A reverse proxy: forwards each request to one of several servers, and the answer back, piece by piece.
//
//     reverse_proxy                      starts two servers, a proxy and a client; then stops one server
//     reverse_proxy PORT SERVER...       serves until Ctrl-C: reverse_proxy 8000 127.0.0.1:8001 127.0.0.1:8002
//
// Connections stay open on both sides. A server that does not answer is skipped for a while. If no server answers, the
// client gets status 502; if a server is too slow, 504. For a WebSocket, the proxy connects both sides, and the kernel
// forwards the bytes (splice).

#include <coir/coir.hpp>
#include <coir/net/asio.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;
namespace net = coir::net;
using boost::system::error_code;
using boost::system::system_error;

constexpr auto idle_max = 60s, step_max = 30s, connect_max = 3s, rest_of_failed = 5s;
constexpr std::size_t connections_max = 10'000;
// The body limit, as the proxy does not store bodies. boost::none fails in Boost 1.74.
constexpr auto no_limit = std::numeric_limits<std::uint64_t>::max();

struct connection {
    explicit connection(net::tcp_stream connected) : tcp{std::move(connected)} {}
    net::tcp_stream tcp;
    net::asio_stream<net::tcp_stream&> stream{tcp};
    beast::flat_buffer ahead{64 << 10};  // bytes that were read and not yet parsed

    // Whether the connection is still open and has no unexpected data.
    bool is_quiet() {
        std::byte unexpected;
        std::error_code ec;
        tcp.read_some(std::span{&unexpected, 1}, 0s, ec);
        return ec == std::errc::timed_out;
    }
};

struct server {
    net::endpoint at;
    std::vector<std::unique_ptr<connection>> idle{};
    coir::clock::time_point rests_until{};

    std::unique_ptr<connection> connect() {
        while (!idle.empty()) {
            std::unique_ptr<connection> kept = std::move(idle.back());
            idle.pop_back();
            if (kept->is_quiet()) return kept;
        }
        return std::make_unique<connection>(net::tcp_stream::connect(at, connect_max));
    }
};

struct proxy {
    std::vector<server> servers{};
    std::size_t next = 0;

    // Returns a connection to the next server that accepts one. Skips servers that failed recently, unless all failed.
    std::pair<server*, std::unique_ptr<connection>> connect() {
        for (const bool desperate : {false, true}) {
            for (std::size_t i = 0; i < servers.size(); ++i) {
                server& each = servers[next++ % servers.size()];
                if (!desperate && coir::clock::now() < each.rests_until) continue;
                try {
                    return {&each, each.connect()};
                } catch (const std::system_error& failure) {
                    std::cerr << failure.what() << '\n';
                    each.rests_until = coir::clock::now() + rest_of_failed;
                }
            }
        }
        return {};
    }
};

// Removes the header fields that describe one connection and not the message (RFC 9110, section 7.6.1).
template <class Message> void drop_hop_by_hop(Message& message) {
    for (const std::string name : {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade"})
        message.erase(name);
}

void answer(connection& client, http::status status) {
    http::response<http::string_body> made{status, 11, std::string{http::obsolete_reason(status)} + "\n"};
    made.keep_alive(false);
    made.prepare_payload();
    http::write(client.stream, made);
}

// Forwards a message whose head has been read and changed: writes the head, then forwards the body.
template <bool is_request>
void pass_on(connection& from, http::parser<is_request, http::buffer_body>& message, connection& to) {
    http::serializer<is_request, http::buffer_body> out{message.get()};
    http::write_header(to.stream, out);
    std::vector<char> piece(16 << 10);
    while (!out.is_done()) {
        auto& body = message.get().body();
        body = {piece.data(), piece.size(), true};
        error_code ec;
        from.stream.expires_at(step_max);
        if (!message.is_done()) http::read(from.stream, from.ahead, message, ec);
        if (ec && ec != http::error::need_buffer) throw system_error{ec};
        const std::size_t unused = body.size;
        body = {piece.data(), piece.size() - unused, !message.is_done()};
        to.stream.expires_at(step_max);
        http::write(to.stream, out, ec);
        if (ec && ec != http::error::need_buffer) throw system_error{ec};
    }
}

// Forwards all bytes between the two connections, in both directions, until both ends close.
void connect_through(connection& client, connection& upstream) {
    client.tcp.write_all(std::string{static_cast<const char*>(upstream.ahead.data().data()), upstream.ahead.size()});
    upstream.tcp.write_all(std::string{static_cast<const char*>(client.ahead.data().data()), client.ahead.size()});
    const auto pass = [](net::tcp_stream& from, net::tcp_stream& to) {
        from.splice_to(to);
        to.shutdown();
    };
    coir::task_group both;
    both.spawn([&] { pass(client.tcp, upstream.tcp); });
    both.spawn([&] { pass(upstream.tcp, client.tcp); });
    both.wait();
}

bool is_timeout(const system_error& failure) { return failure.code() == boost::asio::error::timed_out; }

// Handles one request; returns false if the client's connection has to end.
bool exchange(proxy& own, connection& client) {
    http::request_parser<http::buffer_body> request;
    request.header_limit(16 << 10);
    request.body_limit(no_limit);
    error_code ec;
    client.stream.expires_at(idle_max);
    http::read_header(client.stream, client.ahead, request, ec);
    const bool is_about_http = ec.category() == make_error_code(http::error::bad_method).category();

    if (ec && is_about_http && ec != http::error::end_of_stream) answer(client, http::status::bad_request);
    if (ec) return false;

    auto& asked = request.get();
    const bool stays = asked.keep_alive(), upgrades = beast::websocket::is_upgrade(asked);
    const std::string kind{asked[http::field::upgrade]};
    if (beast::iequals(asked[http::field::expect], "100-continue")) {
        http::response<http::empty_body> go_on{http::status::continue_, 11};
        http::write(client.stream, go_on);
        asked.erase(http::field::expect);
    }
    drop_hop_by_hop(asked);
    asked.insert("X-Forwarded-For", client.tcp.remote_endpoint().address());
    if (upgrades) {
        asked.set(http::field::connection, "upgrade");
        asked.set(http::field::upgrade, kind);
    }

    auto [server, upstream] = own.connect();
    http::response_parser<http::buffer_body> response;
    try {
        if (upstream == nullptr) throw system_error{boost::asio::error::connection_refused};
        pass_on(client, request, *upstream);
        response.body_limit(no_limit);
        response.skip(asked.method() == http::verb::head);
        upstream->stream.expires_at(step_max);
        http::read_header(upstream->stream, upstream->ahead, response);
    } catch (const system_error& failure) {
        answer(client, is_timeout(failure) ? http::status::gateway_timeout : http::status::bad_gateway);
        return false;
    }

    auto& given = response.get();
    const bool switches = given.result() == http::status::switching_protocols, lasts = given.keep_alive();
    if (!switches) {
        drop_hop_by_hop(given);
        if (given.need_eof()) given.chunked(true);  // the client's connection stays open after the body
        given.keep_alive(stays);
    }
    pass_on(*upstream, response, client);
    if (switches) connect_through(client, *upstream);
    if (lasts && !switches && upstream->ahead.size() == 0) server->idle.push_back(std::move(upstream));
    return stays && !switches;
}

void serve_connection(proxy& own, net::tcp_stream peer) try {
    connection client{std::move(peer)};
    while (exchange(own, client)) {
    }
} catch (const std::runtime_error&) {  // client or server closed in the middle: no one to answer
}

// ---- demonstration -----------------------------------------------------------------------------------------------

struct small_server {
    explicit small_server(std::string its_name) : name{std::move(its_name)} {}

    void answer(net::tcp_stream peer) const try {
        connection client{std::move(peer)};
        for (;;) {
            http::request<http::string_body> request;
            http::read(client.stream, client.ahead, request);
            http::response<http::string_body> made{http::status::ok, 11,
                                                   name + " got " + std::to_string(request.body().size()) + " bytes"};
            made.prepare_payload();
            http::write(client.stream, made);
        }
    } catch (const system_error&) {
    }

    std::string name;
    net::tcp_listener listener = net::tcp_listener::bind({"127.0.0.1", 0});
    net::endpoint at = listener.local_endpoint();
    coir::fiber<void> runs =
        coir::spawn([this] { listener.serve([this](net::tcp_stream peer) { answer(std::move(peer)); }); });
};

void ask(const net::endpoint& where, std::size_t body_bytes, int times) {
    connection to{net::tcp_stream::connect(where, 10s)};
    for (int i = 0; i < times; ++i) {
        http::request<http::string_body> request{http::verb::post, "/", 11, std::string(body_bytes, 'x')};
        request.prepare_payload();
        http::write(to.stream, request);
        http::response<http::string_body> response;
        http::read(to.stream, to.ahead, response);
        std::cout << response.result_int() << ' ' << response.body() << (response.body().ends_with('\n') ? "" : "\n");
    }
}

void demonstrate(const net::endpoint& where, small_server& one, small_server& two) {
    ask(where, 500'000, 2);
    const auto end = [](small_server& each) {
        each.listener.close();
        each.runs.request_stop();
        each.runs.join();
    };
    end(one);
    std::cout << "one is gone\n";
    ask(where, 5, 2);
    end(two);
    std::cout << "both are gone\n";
    ask(where, 5, 1);
}

int main(int argc, char** argv) try {
    coir::run([&] {
        coir::signal_set interrupt{SIGINT, SIGTERM};
        proxy own;
        for (int i = 2; i < argc; ++i) own.servers.push_back({net::endpoint::parse(argv[i])});
        auto listener =
            net::tcp_listener::bind(net::endpoint::parse(std::string{"127.0.0.1:"} + (argc > 1 ? argv[1] : "0")));
        auto serving = coir::spawn([&] {
            listener.serve(coir::limit{connections_max},
                           [&](net::tcp_stream peer) { serve_connection(own, std::move(peer)); });
        });
        std::cout << "proxy on " << listener.local_endpoint() << ", until Ctrl-C" << std::endl;
        if (argc > 1) {
            interrupt.wait();
        } else {
            small_server one{"one"}, two{"two"};
            for (const small_server* each : {&one, &two}) own.servers.push_back({each->at});
            demonstrate(listener.local_endpoint(), one, two);
        }
    });
} catch (const std::exception& failure) {
    std::cerr << "reverse_proxy: " << failure.what() << '\n';
    return 1;
}
