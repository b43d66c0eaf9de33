// A reverse proxy: forwards each request to one of several servers, and the answer back, piece by piece.
//
//     reverse_proxy                      starts two servers, a proxy and a client; then stops one server
//     reverse_proxy PORT SERVER...       serves until Ctrl-C: reverse_proxy 8000 127.0.0.1:8001 127.0.0.1:8002
//
// Connections stay open on both sides. A server that does not answer is skipped for a while. If no server answers, the
// client gets status 502; if a server is too slow, 504. For a WebSocket, the proxy connects both sides, and the kernel
// forwards the bytes (splice).
//
// What the two sides could understand differently is refused and not forwarded (http_rules.hpp). The servers get the
// fields Via and X-Forwarded-For, and trust the last address of the latter only.

#include <coir/coir.hpp>
#include <coir/net/asio.hpp>

#include "http_rules.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;
namespace net = coir::net;
using boost::system::error_code;
using boost::system::system_error;
using http_rules::terms;

constexpr auto idle_max = 60s, step_max = 30s, connect_max = 3s, late_max = 1s, rest_of_failed = 5s;
constexpr std::size_t connections_max = 10'000, head_max = 16 << 10;
// The body limit, as the proxy does not store bodies. boost::none fails in Boost 1.74.
constexpr auto no_limit = std::numeric_limits<std::uint64_t>::max();

struct connection {
    explicit connection(net::tcp_stream connected) : tcp{std::move(connected)} {}
    net::tcp_stream tcp;
    net::asio_stream<net::tcp_stream&> stream{tcp};
    beast::flat_buffer ahead{64 << 10};  // bytes that were read and not yet parsed
    bool is_kept = false;                // may serve another request; the server may close it before that

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

using request_parser = http::request_parser<http::buffer_body>;
using response_parser = http::response_parser<http::buffer_body>;

// Removes the fields that describe one connection and not the message (RFC 9110, section 7.6.1). Trailers are dropped
// too. A sender cannot remove the fields that say where the body ends, and for which host the request is.
template <class Head> void drop_hop_by_hop(Head& head) {
    std::vector<std::string> names{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade"};
    const auto [first, last] = head.equal_range(http::field::connection);
    for (auto line = first; line != last; ++line) {
        for (const beast::string_view name : http::token_list{line->value()}) names.emplace_back(name);
    }
    for (const std::string& name : names) {
        const http::field field = http::string_to_field(name);
        if (field != http::field::content_length && field != http::field::transfer_encoding &&
            field != http::field::host)
            head.erase(name);
    }
}

template <class Head> void set_upgrade(Head& head) {
    head.set(http::field::connection, "Upgrade");
    head.set(http::field::upgrade, "websocket");
}

// Whether the request ends here: CONNECT, TRACE, and OPTIONS that may go no further (RFC 9110, section 7.6.2). Else
// counts the hop.
bool ends_here(http::request_header<>& asked) {
    if (asked.method() == http::verb::connect || asked.method() == http::verb::trace) return true;
    if (asked.method() != http::verb::options || asked.count(http::field::max_forwards) == 0) return false;
    const long left = std::strtol(std::string{asked[http::field::max_forwards]}.c_str(), nullptr, 10);
    asked.set(http::field::max_forwards, std::to_string(left - 1));
    return left <= 0;
}

void change(http::request_header<>& asked, bool upgrades, const connection& client, const connection& upstream) {
    drop_hop_by_hop(asked);
    if (upgrades) set_upgrade(asked);
    asked.insert("X-Forwarded-For", client.tcp.remote_endpoint().address());
    asked.insert(http::field::via, asked.version() == 11 ? "1.1 coir" : "1.0 coir");
    if (asked.version() < 11) asked.erase(http::field::expect);
    if (asked.count(http::field::host) == 0)  // HTTP/1.0
        asked.set(http::field::host, upstream.tcp.remote_endpoint().to_string());
    asked.version(11);
}

// Forwards a message whose head has been read and changed. Returns why `from` did not send all of it; throws if `to`
// does not take it.
template <bool is_request>
error_code pass_on(connection& from, http::parser<is_request, http::buffer_body>& message, connection& to) {
    http::serializer<is_request, http::buffer_body> out{message.get()};
    to.stream.expires_at(step_max);
    http::write_header(to.stream, out);
    if (message.is_done()) return {};  // there is no body, as after HEAD: no last chunk either
    auto& body = message.get().body();
    std::vector<char> piece(16 << 10);
    error_code ec;
    while (!message.is_done()) {
        body = {piece.data(), piece.size(), true};
        from.stream.expires_at(step_max);
        http::read_some(from.stream, from.ahead, message, ec);
        if (ec && ec != http::error::need_buffer) return ec;
        const std::size_t n = piece.size() - body.size;
        if (n == 0) continue;  // an empty chunk would be the last one
        body = {piece.data(), n, true};
        to.stream.expires_at(step_max);
        http::write(to.stream, out, ec);
        if (ec != http::error::need_buffer) throw system_error{ec};
    }
    body = {nullptr, 0, false};
    http::write(to.stream, out);  // the last chunk, if there are chunks
    return {};
}

// Sends the request. Returns `ok`, or the status for a client that does not send all of it.
http::status send_request(connection& client, request_parser& request, connection& upstream) try {
    const error_code ec = pass_on(client, request, upstream);
    if (!ec) return http::status::ok;
    std::error_code gone;
    upstream.tcp.shutdown(net::shut::both, gone);  // the server must not take a part for the whole
    return http_rules::status_of(ec, request);
} catch (const std::runtime_error&) {  // the server reads no more: it may have answered
    return http::status::ok;
}

// Whether the server has ended the connection, possibly without having seen the request.
bool has_ended(const error_code& ec) {
    return ec == http::error::end_of_stream || ec == boost::asio::error::connection_reset;
}

error_code read_head(connection& upstream, response_parser& response, const coir::fiber<void>& sending) {
    error_code ec;
    do {  // the time for the answer begins when the request has been sent
        upstream.stream.expires_at(step_max);
        http::read_header(upstream.stream, upstream.ahead, response, ec);
    } while (ec == boost::asio::error::timed_out && !sending.done());
    return ec;
}

// Reads the head of the final answer. Others (1xx) go to the client at once, if it is not too old for them.
error_code read_answer(connection& upstream, connection& client, std::optional<response_parser>& response,
                       const terms& on, const coir::fiber<void>& sending) {
    for (bool is_first = true;; is_first = false) {
        response.emplace();
        response->header_limit(head_max);
        response->body_limit(no_limit);
        response->skip(on.method == http::verb::head);
        error_code ec = read_head(upstream, *response, sending);
        if (has_ended(ec) && !is_first) ec = http::error::partial_message;  // the server has seen the request
        auto& given = response->get();
        if (ec || given.result_int() / 100 != 1 || given.result() == http::status::switching_protocols) return ec;
        drop_hop_by_hop(given);
        given.content_length(boost::none);
        if (on.is_http11) static_cast<void>(pass_on(upstream, *response, client));
    }
}

// Changes the head of an answer. A body without a length goes to the client in chunks; or up to the end of the
// connection, as a client of HTTP/1.0 knows no chunks.
void change(response_parser& response, terms& on) {
    auto& given = response.get();
    drop_hop_by_hop(given);
    given.version(11);
    if (given.count(http::field::date) == 0) given.set(http::field::date, http_rules::date());
    if (given.result() == http::status::no_content || given.result() == http::status::switching_protocols)
        given.content_length(boost::none);
    if (given.result() == http::status::switching_protocols) return set_upgrade(given);
    if (given.chunked() || response.need_eof()) {
        given.chunked(on.is_http11);
        on.stays = on.stays && on.is_http11;
    }
    http_rules::set_connection(given, on);
}

void pass_answer_on(connection& upstream, response_parser& response, connection& client, terms& on) {
    change(response, on);
    if (const error_code cut = pass_on(upstream, response, client)) {
        client.tcp.set_reset_on_close(true);  // a plain end could be taken for the end of the body
        throw system_error{cut};
    }
}

// Forwards all bytes between the two connections, in both directions, until both ends close.
void connect_through(connection& client, connection& upstream) {
    client.tcp.write_all(std::string{static_cast<const char*>(upstream.ahead.data().data()), upstream.ahead.size()});
    upstream.tcp.write_all(std::string{static_cast<const char*>(client.ahead.data().data()), client.ahead.size()});
    const auto pass = [](net::tcp_stream& from, net::tcp_stream& to) {
        from.set_keep_alive(net::keep_alive{});  // finds a peer that is gone without a word
        from.splice_to(to);
        to.shutdown();
    };
    coir::task_group both;
    both.spawn([&] { pass(client.tcp, upstream.tcp); });
    both.spawn([&] { pass(upstream.tcp, client.tcp); });
    both.wait();
}

bool refuse(connection& client, http::status status, http::verb method) {
    client.stream.expires_at(step_max);
    http_rules::refuse(client.stream, status, method);
    return false;
}

// Whether a request may be sent again: it has not been answered, has no body that is gone by now, and has no further
// effect if the server has seen it already (RFC 9110, section 9.2.2).
bool is_repeatable(const error_code& ec, const response_parser& response, const request_parser& request) {
    const bool has_body = request.chunked() || request.content_length().value_or(0) > 0;
    for (const http::verb idempotent :
         {http::verb::get, http::verb::head, http::verb::options, http::verb::put, http::verb::delete_}) {
        if (request.get().method() == idempotent) return has_ended(ec) && !response.got_some() && !has_body;
    }
    return false;
}

enum class outcome { again, ends, stays };  // what becomes of the request, or of the client's connection

// Whether the client gets this answer: it has come, its end is clear, and a switch was asked for.
bool is_acceptable(const error_code& ec, const response_parser& response, bool upgrades) {
    const bool switches = response.get().result() == http::status::switching_protocols;
    return !ec && http_rules::has_clear_length(response.get().base()) && (upgrades || !switches);
}

// Sends the request to one server, and passes its answer on.
outcome attempt(connection& client, request_parser& request, connection& upstream, bool upgrades, terms on) {
    const bool was_kept = std::exchange(upstream.is_kept, false);
    // The request goes to the server while the answer comes back: a server may answer before it has the whole body, and
    // a client may wait for "100 Continue" before it sends the body.
    http::status fault = http::status::ok;
    std::optional<response_parser> response;
    coir::fiber<void> sending = coir::spawn([&] { fault = send_request(client, request, upstream); });

    const error_code ec = read_answer(upstream, client, response, on, sending);
    if (!is_acceptable(ec, *response, upgrades)) {
        sending.request_stop();
        sending.join();
        if (was_kept && is_repeatable(ec, *response, request)) return outcome::again;
        if (fault == http::status::ok)
            fault = ec == boost::asio::error::timed_out ? http::status::gateway_timeout : http::status::bad_gateway;
        if (fault != http::status::unknown) refuse(client, fault, on.method);
        return outcome::ends;
    }

    pass_answer_on(upstream, *response, client, on);
    const bool all_sent = sending.wait_for(late_max) == std::future_status::ready && fault == http::status::ok;
    const bool switches = response->get().result() == http::status::switching_protocols;
    if (all_sent && switches) connect_through(client, upstream);
    upstream.is_kept = all_sent && !switches && response->keep_alive() && upstream.ahead.size() == 0;
    return all_sent && !switches && on.stays ? outcome::stays : outcome::ends;
}

// Reads the head of a request. Returns the same as `http_rules::read_head`.
http::status read_head(connection& client, request_parser& request) {
    request.header_limit(head_max);
    request.body_limit(no_limit);
    client.stream.expires_at(idle_max);
    const http::status verdict = http_rules::read_head(client.stream, client.ahead, request);
    return verdict == http::status::ok && ends_here(request.get()) ? http::status::not_implemented : verdict;
}

// Handles one request; returns false if the client's connection has to end.
bool exchange(proxy& own, connection& client) {
    request_parser request;
    const http::status verdict = read_head(client, request);
    auto& asked = request.get();
    if (verdict == http::status::unknown) return false;
    if (verdict != http::status::ok) return refuse(client, verdict, asked.method());

    const terms on = http_rules::terms_of(asked, request.keep_alive());
    const bool upgrades = beast::websocket::is_upgrade(asked) && request.is_done();
    for (bool is_first = true;; is_first = false) {
        auto [server, upstream] = own.connect();
        if (upstream == nullptr) return refuse(client, http::status::bad_gateway, on.method);
        if (is_first) change(asked, upgrades, client, *upstream);
        const outcome reached = attempt(client, request, *upstream, upgrades, on);
        if (upstream->is_kept) server->idle.push_back(std::move(upstream));
        // A kept connection may have ended before the server saw the request: then it is sent on another one.
        if (reached != outcome::again) return reached == outcome::stays;
    }
}

void serve_connection(proxy& own, net::tcp_stream peer) try {
    connection client{std::move(peer)};
    while (exchange(own, client)) {
    }
    http_rules::linger(client.stream);
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
        request.set(http::field::host, "here");
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
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);  // raise the soft limit of descriptors: each client needs two or more
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

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
