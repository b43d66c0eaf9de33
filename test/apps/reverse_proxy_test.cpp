// The rules of RFC 9110 and RFC 9112 for intermediaries, against the app reverse_proxy: between a client and a server that
// both send exactly what a row of a table says.
#include <coir/coir.hpp>

#include "app.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;

namespace {

/// Reads one request to the end of its body; empty at the end of the connection.
std::string read_request(tcp_stream& from) {
    std::string all = read_to(from, "\r\n\r\n");
    const std::size_t body = all.find("\r\n\r\n") + 4, length = all.find("Content-Length: ");
    if (all.find("Transfer-Encoding: chunked") < body) {
        while (!all.ends_with("0\r\n\r\n")) all += read_text(from, 20s);
    } else if (length < body) {
        while (all.size() < body + std::stoul(all.substr(length + 16))) all += read_text(from, 20s);
    }
    return all;
}

/// A server behind the proxy. It keeps what it receives, and sends `answer` for each request. With an empty answer, or
/// one that has no length, it ends the connection then.
class origin {
public:
    std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    std::string received{};
    int requests = 0, connections = 0;
    bool closes = false;         // ends the connection behind the answer
    bool closes_second = false;  // ends each connection at its second request, without an answer

    [[nodiscard]] std::string at() const { return listener_.local_endpoint().to_string(); }

private:
    void serve(tcp_stream peer) {
        ++connections;
        for (int n = 1;; ++n) {
            const std::string seen = read_request(peer);
            if (seen.empty()) return;
            ++requests;
            received += seen;
            if (closes_second && n == 2) return;
            peer.write_all(answer);
            if (closes) return;
        }
    }

    coir::net::tcp_listener listener_ = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    coir::fiber<void> serving_ =
        coir::spawn([this] { listener_.serve([this](tcp_stream peer) { serve(std::move(peer)); }); });
};

/// A proxy between a client and a server that are both played by the test.
struct bare_proxy {
    coir::net::tcp_listener server = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    app proxy{"reverse_proxy", {server.local_endpoint().to_string()}};
    tcp_stream client = proxy.connect();
};

const std::string host = "Host: here\r\n", ends_then = "Connection: close\r\n\r\n",
                  chunked = "Transfer-Encoding: chunked\r\n";

std::string get(const std::string& fields = "") { return "GET / HTTP/1.1\r\n" + host + fields + ends_then; }
std::string post(const std::string& fields, const std::string& body) {
    return "POST / HTTP/1.1\r\n" + host + fields + ends_then + body;
}

}  // namespace

TEST_CASE("reverse_proxy: what two parsers could understand differently is refused, and no server sees it") {
    in_scheduler([] {
        origin server;
        app proxy{"reverse_proxy", {server.at()}};
        const struct {
            std::string rule;
            std::string sent;
            int status;
        } table[] = {
            {"9112, 2.2: lines that end with LF", "GET / HTTP/1.1\nHost: here\n\n\r\n\r\n", 505},
            {"9112, 2.2: a lone CR", "GET / HTTP/1.1\r\nHost: here\rX: y\r\n\r\n", 400},
            {"9112, 2.2: white space in front of the first field", "GET / HTTP/1.1\r\n Host: here\r\n\r\n", 400},
            {"9112, 2.3: another major version", "GET / HTTP/2.0\r\nHost: here\r\n\r\n", 505},
            {"9112, 3: a target too long", "GET /" + std::string(40'000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 414},
            {"9112, 3.2: no Host", "GET / HTTP/1.1\r\n\r\n", 400},
            {"9112, 3.2: two Hosts", "GET / HTTP/1.1\r\nHost: here\r\nHost: there\r\n\r\n", 400},
            {"9112, 3.2: an invalid Host", "GET / HTTP/1.1\r\nHost: here@there\r\n\r\n", 400},
            {"9112, 5: an empty name", get(": x\r\n"), 400},
            {"9112, 5: an invalid name", get("X\x01: x\r\n"), 400},
            {"9112, 5: a name with a space", get("X Y: x\r\n"), 400},
            {"9110, 5.5: a NUL in a value", get(std::string{"X: \0\r\n", 6}), 400},
            {"9110, 5.4: a head too large", get("X: " + std::string(40'000, 'x') + "\r\n"), 431},
            {"9112, 5.1: white space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
            {"9112, 6.1: an unknown coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
            {"9112, 6.1: an unknown coding in a line of its own",
             post("Transfer-Encoding: gzip\r\n" + chunked, "0\r\n\r\n"), 501},
            {"9112, 6.1: codings in HTTP/1.0", "POST / HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n", 400},
            {"9112, 6.3: not chunked", post("Transfer-Encoding: gzip\r\n", ""), 400},
            {"9112, 6.3: not quite chunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
            {"9112, 6.3: chunked with something behind it", post("Transfer-Encoding: chunked;x\r\n", "0\r\n\r\n"), 400},
            {"9112, 6.3: chunked is not last", post("Transfer-Encoding: chunked, identity\r\n", ""), 400},
            {"9112, 6.3: length and codings", post("Content-Length: 5\r\n" + chunked, "0\r\n\r\n"), 400},
            {"9112, 6.3: codings and length", post(chunked + "Content-Length: 5\r\n", "0\r\n\r\n"), 400},
            {"9112, 6.3: an unknown coding and a length", post("Transfer-Encoding: x\r\nContent-Length: 1\r\n", "x"),
             400},
            {"9112, 6.3: two lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", "x"), 400},
            {"9112, 6.3: the same length twice", post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), 400},
            {"9112, 6.3: a list of lengths", post("Content-Length: 1, 1\r\n", "x"), 400},
            {"9112, 6.3: a length with a sign", post("Content-Length: +1\r\n", "x"), 400},
            {"9112, 6.3: a length in another base", post("Content-Length: 0x1\r\n", "x"), 400},
            {"9112, 6.3: an empty length", post("Content-Length:\r\n", ""), 400},
            {"9110, 9.3.6: CONNECT", "CONNECT here:80 HTTP/1.1\r\nHost: here:80\r\n\r\n", 501},
            {"9110, 9.3.8: TRACE", "TRACE / HTTP/1.1\r\nHost: here\r\n\r\n", 501},
            {"9110, 7.6.2: no hop left", "OPTIONS / HTTP/1.1\r\nHost: here\r\nMax-Forwards: 0\r\n\r\n", 501},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            CHECK(status_in(ask(proxy, row.sent)) == row.status);
        }
        CHECK(server.received.empty());
        CHECK(server.connections == 0);
        CHECK(status_in(ask(proxy, get())) == 200);
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: a malformed body is answered with 400, and its server sees that it is not complete") {
    in_scheduler([] {
        for (const std::string body :
             {"what?\r\n", "1\r\nxx\r\n0\r\n\r\n", "1\nx\n0\n\n\r\n", "-1\r\nx\r\n", "0x1\r\nx\r\n\r\n",
              "11111111111111111\r\n", "1;=\r\nx\r\n", "0\r\nContent-Length: 1\r\n\r\n", "0\r\nno colon\r\n\r\n"}) {
            CAPTURE(body);
            auto [server, proxy, client] = bare_proxy{};
            client.write_all(post(chunked, body));
            auto peer = server.accept(10s);
            const std::string seen = read_all(peer);
            CHECK(contains(seen, chunked));
            CHECK_FALSE(contains(seen, "0\r\n\r\n"));
            CHECK(status_in(read_all(client)) == 400);
            proxy.end();
        }
    });
}

TEST_CASE("reverse_proxy: a request goes to the server as an intermediary has to change it") {
    in_scheduler([] {
        origin server;
        app proxy{"reverse_proxy", {server.at()}};
        const struct {
            std::string rule;
            std::string sent;
            std::string with;     // is part of what the server sees
            std::string without;  // is not
        } table[] = {
            {"9110, 7.6.1: Connection is for one connection", get(), "GET / HTTP/1.1\r\n", "Connection"},
            {"9110, 7.6.1: so are the fields that it names", get("Connection: X-Own\r\nX-Own: y\r\n"), "", "X-Own"},
            {"9110, 7.6.1: in a list", get("X-A: y\r\nX-B: y\r\nX-C: y\r\nConnection: x-a ,, X-B\r\n"), "X-C", "X-A"},
            {"9110, 7.6.1: in any line", get("X-A: y\r\nConnection: x\r\nConnection: X-A\r\n"), "", "X-A"},
            {"9110, 7.6.1: Keep-Alive", get("Keep-Alive: timeout=5\r\n"), "", "Keep-Alive"},
            {"9110, 7.6.1: Proxy-Connection", get("Proxy-Connection: keep-alive\r\n"), "", "Proxy-Connection"},
            {"9110, 7.6.1: TE", get("TE: trailers\r\n"), "", "TE:"},
            {"9110, 7.6.1: Upgrade", get("Upgrade: h2c\r\n"), "", "Upgrade"},
            {"9110, 7.6.1: not what tells where the body ends",
             post("Connection: Content-Length\r\nContent-Length: 1\r\n", "x"), "Content-Length: 1\r\n", ""},
            {"9110, 7.6.1: nor chunked", post("Connection: Transfer-Encoding\r\n" + chunked, "1\r\nx\r\n0\r\n\r\n"),
             chunked, ""},
            {"9110, 7.6.1: nor Host", get("Connection: Host\r\n"), host, ""},
            {"9110, 7.6.2: one hop less", "OPTIONS * HTTP/1.1\r\n" + host + "Max-Forwards: 7\r\n" + ends_then,
             "Forwards: 6\r\n", ""},
            {"9110, 7.6.3: Via", get(), "Via: 1.1 coir\r\n", ""},
            {"9110, 7.6.3: Via tells the client's version", "GET / HTTP/1.0\r\nHost: here\r\n\r\n", "Via: 1.0 coir\r\n",
             ""},
            {"9110, 2.5: the proxy's own version", "GET / HTTP/1.0\r\nHost: here\r\n\r\n", "GET / HTTP/1.1\r\n",
             "HTTP/1.0"},
            {"9110, 7.2: HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "Host: " + server.at() + "\r\n", ""},
            {"9110, 10.1.1: no expectation in HTTP/1.0",
             "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "\r\n\r\nx", "Expect"},
            {"9112, 2.2: an empty line in front", "\r\n" + get(), "GET / HTTP/1.1\r\n", ""},
            {"9112, 3.2.2: absolute-form has the better Host",
             "GET http://there:81/p?q HTTP/1.1\r\nHost: here\r\n" + ends_then, "GET /p?q HTTP/1.1\r\n", host},
            {"9112, 3.2.2: it is the new one", "GET http://there:81/p HTTP/1.1\r\nHost: here\r\n" + ends_then,
             "Host: there:81\r\n", host},
            {"9112, 3.2.4: absolute-form of the asterisk", "OPTIONS http://here HTTP/1.1\r\n" + host + ends_then,
             "OPTIONS * HTTP/1.1\r\n", ""},
            {"9112, 5.2: a folded line becomes one", get("X: a\r\n  b\r\n"), "X: a b\r\n", ""},
            {"9112, 5.2: a folded coding", post("Transfer-Encoding:\r\n chunked\r\n", "1\r\nx\r\n0\r\n\r\n"), chunked,
             ""},
            {"9112, 6: a length", post("Content-Length: 3\r\n", "abc"), "\r\n\r\nabc", chunked},
            {"9112, 6: an empty body with a length", post("Content-Length: 0\r\n", ""), "Content-Length: 0\r\n",
             "\r\n\r\n0"},
            {"9112, 6: no body", get(), "\r\n\r\n", "\r\n\r\n0"},
            {"9112, 7.1: chunks", post(chunked, "3\r\nabc\r\n0\r\n\r\n"), "\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ""},
            {"9112, 7.1: a last chunk of many zeros", post(chunked, "1\r\na\r\n0000\r\n\r\n"), "1\r\na\r\n0\r\n\r\n",
             "0000"},
            {"9112, 7.1: no chunks, one last chunk", post(chunked, "0\r\n\r\n"), "\r\n\r\n0\r\n\r\n", "0\r\n\r\n0"},
            {"9112, 7.1.1: extensions are dropped", post(chunked, "1;a=b\r\nx\r\n0;c\r\n\r\n"),
             "\r\n\r\n1\r\nx\r\n0\r\n\r\n", ";"},
            {"9112, 7.1.2: trailers are dropped, and are no fields",
             post("Trailer: X-T\r\n" + chunked, "0\r\nX-T: y\r\n\r\n"), "\r\n\r\n0\r\n\r\n", "X-T"},
            {"who asks", get(), "X-Forwarded-For: 127.0.0.1\r\n", ""},
            {"who asks, even if the client says not to", get("Connection: X-Forwarded-For\r\n"),
             "X-Forwarded-For: 127.0.0.1\r\n", ""},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            server.received.clear();
            server.requests = 0;
            CHECK(status_in(ask(proxy, row.sent)) == 200);
            CAPTURE(server.received);
            CHECK(server.requests == 1);
            if (!row.with.empty()) CHECK(contains(server.received, row.with));
            if (!row.without.empty()) CHECK_FALSE(contains(server.received, row.without));
        }
        CHECK(server.connections == 1);  // no request left anything behind that the next one would have met
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: an answer goes to the client as an intermediary has to change it") {
    in_scheduler([] {
        origin server;
        app proxy{"reverse_proxy", {server.at()}};
        const std::string ok = "HTTP/1.1 200 OK\r\n", length = "Content-Length: 2\r\n";
        const std::string old = "GET / HTTP/1.0\r\nHost: here\r\n\r\n", head = "HEAD / HTTP/1.1\r\n" + host + ends_then;
        const std::string upgrade =
            "GET / HTTP/1.1\r\n" + host + "Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n";
        const std::string early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
                          go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        const struct {
            std::string rule;
            std::string sent, answer;
            int status;
            std::string with;     // is part of what the client sees
            std::string without;  // is not
            bool ends = false;    // the server ends the connection behind the answer
        } table[] = {
            {"9110, 7.6.1: the client's own Connection", get(), ok + length + "Connection: X-A\r\nX-A: b\r\n\r\nok",
             200, "Connection: close\r\n", "X-A"},
            {"9110, 7.6.1: Keep-Alive", get(), ok + length + "Keep-Alive: timeout=5\r\n\r\nok", 200, "\r\n\r\nok",
             "timeout"},
            {"9110, 6.6.1: a date", get(), ok + length + "\r\nok", 200, " GMT\r\n", ""},
            {"9110, 6.6.1: the server's date", get(), ok + "Date: today\r\n" + length + "\r\nok", 200,
             "Date: today\r\n", "GMT"},
            {"9110, 2.5: the proxy's own version", get(), "HTTP/1.0 200 OK\r\n" + length + "\r\nok", 200, "\r\n\r\nok",
             "HTTP/1.0", true},
            {"9110, 9.3.2: HEAD has no body", head, ok + length + "\r\n", 200, length, "\r\n\r\n0"},
            {"9110, 9.3.2: HEAD has no chunks", head, ok + chunked + "\r\n", 200, chunked, "\r\n\r\n0"},
            {"9110, 9.3.2: HEAD without a length", head, ok + "X: y\r\n\r\n", 200, "X: y\r\n", "\r\n\r\n0"},
            {"9110, 15.3.5: 204 has no body", get(), "HTTP/1.1 204 No Content\r\n\r\n", 204, "\r\n\r\n", "\r\n\r\n0"},
            {"9110, 8.6: 204 has no length", get(), "HTTP/1.1 204 No Content\r\n" + length + "\r\n", 204, "\r\n\r\n",
             "Length"},
            {"9112, 6.1: 204 has no chunks", get(), "HTTP/1.1 204 No Content\r\n" + chunked + "\r\n", 204, "",
             "hunked"},
            {"9110, 15.4.5: 304 has no body", get(), "HTTP/1.1 304 Not Modified\r\n" + length + "\r\n", 304, length,
             "\r\n\r\n0"},
            {"9112, 6.3: 304 has no chunks", get(), "HTTP/1.1 304 Not Modified\r\n" + chunked + "\r\n", 304, "",
             "\r\n\r\n0"},
            {"9110, 15.2: 103 is not the answer", get(), early + ok + length + "\r\nok", 103, "200 OK", "502"},
            {"9110, 15.2: 100 is not the answer", get(), go_on + go_on + ok + length + "\r\nok", 100, "\r\n\r\nok",
             "502"},
            {"9110, 15.2: not for HTTP/1.0", old, early + go_on + ok + length + "\r\nok", 200, "\r\n\r\nok", "Early"},
            {"9110, 15.2.2: 101 without a request for it", get(),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, "", "101"},
            {"9110, 15.2.2: nor in HTTP/1.0", old, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, "",
             "101"},
            {"9110, 7.8: an upgrade that is not granted", upgrade, ok + length + "Connection: close\r\n\r\nok", 200,
             "\r\n\r\nok", "502"},
            {"9112, 6.3: a body up to the end of the connection", get(), ok + "\r\nok", 200, "2\r\nok\r\n0\r\n\r\n",
             "Length", true},
            {"9112, 6.3: an empty one", get(), ok + "\r\n", 200, "\r\n\r\n0\r\n\r\n", "0\r\n\r\n0", true},
            {"9112, 6.3: the same for HTTP/1.0", old, ok + "\r\nok", 200, "\r\n\r\nok", "hunked", true},
            {"9112, 7.1: an empty body in chunks", get(), ok + chunked + "\r\n0\r\n\r\n", 200, "\r\n\r\n0\r\n\r\n",
             "0\r\n\r\n0"},
            {"9112, 7.1: chunks", get(), ok + chunked + "\r\n2\r\nok\r\n0\r\n\r\n", 200, "\r\n\r\n2\r\nok\r\n0\r\n\r\n",
             ""},
            {"9112, 7: no chunks for HTTP/1.0", old, ok + chunked + "\r\n1;x\r\no\r\n1\r\nk\r\n0\r\n\r\n", 200,
             "\r\n\r\nok", "hunked"},
            {"9112, 7.1.1: extensions are dropped", get(), ok + chunked + "\r\n2;a=b\r\nok\r\n0\r\n\r\n", 200,
             "2\r\nok\r\n0\r\n\r\n", "a=b"},
            {"9112, 7.1.2: trailers are dropped", get(), ok + chunked + "Trailer: X\r\n\r\n0\r\nX: y\r\n\r\n", 200, "",
             "X"},
            {"9112, 5.2: a folded line", get(), ok + length + "X: a\r\n b\r\n\r\nok", 200, "X: a b\r\n", ""},
            {"9112, 5.1: white space before the colon", get(), ok + "X : y\r\n" + length + "\r\nok", 502, "", "X"},
            {"9112, 6.3: length and codings", get(), ok + length + chunked + "\r\n0\r\n\r\n", 502, "", "hunked"},
            {"9112, 6.3: two lengths", get(), ok + length + "Content-Length: 3\r\n\r\nok!", 502, "", "ok"},
            {"9112, 6.3: a list of lengths", get(), ok + "Content-Length: 2, 2\r\n\r\nok", 502, "", "ok"},
            {"9112, 6.3: a length that is no number", get(), ok + "Content-Length: x\r\n\r\nok", 502, "", "ok"},
            {"9112, 6.1: a coding that was not requested", get(),
             ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, "", "gzip"},
            {"9112, 6.3: not chunked", get(), ok + "Transfer-Encoding: gzip\r\n\r\nok", 502, "", "gzip", true},
            {"9112, 6.1: codings in HTTP/1.0", get(), "HTTP/1.0 200 OK\r\n" + chunked + "\r\n0\r\n\r\n", 502, "",
             "hunked"},
            {"9112, 4: no status line", get(), "what?\r\n\r\n", 502, "", "what"},
            {"9112, 4: a status that is no number", get(), "HTTP/1.1 abc OK\r\n\r\n", 502, "", "abc"},
            {"9112, 2.3: another version", get(), "HTTP/2.0 200 OK\r\n" + length + "\r\nok", 502, "", "ok"},
            {"a head too large", get(), ok + "X: " + std::string(40'000, 'x') + "\r\n\r\n", 502, "", "xxx"},
            {"9110, 9.3.2: HEAD of an error", head, "what?\r\n\r\n", 502, "Content-Length", "\r\n\r\nBad"},
            {"no answer", get(), "", 502, "", "", true},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            server.answer = row.answer;
            server.closes = row.ends;
            const std::string answer = ask(proxy, row.sent);
            CAPTURE(answer);
            CHECK(status_in(answer) == row.status);
            if (!row.with.empty()) CHECK(contains(answer, row.with));
            if (!row.without.empty()) CHECK_FALSE(contains(answer, row.without));
        }
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: a client of HTTP/1.0 is told whether its connection stays") {
    in_scheduler([] {
        origin server;
        app proxy{"reverse_proxy", {server.at()}};
        const std::string asked = "GET / HTTP/1.0\r\nHost: here\r\nConnection: keep-alive\r\n\r\n";
        auto client = proxy.connect();
        client.write_all(asked);
        CHECK(contains(read_to(client, "ok"), "Connection: keep-alive\r\n"));
        server.answer = "HTTP/1.1 200 OK\r\n" + chunked + "\r\n2\r\nok\r\n0\r\n\r\n";
        client.write_all(asked);
        const std::string last = read_all(client);  // only its end can be the end of the body
        CHECK(contains(last, "Connection: close\r\n"));
        CHECK(last.ends_with("\r\n\r\nok"));
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: a request is sent again if a kept connection ends, and only if that is safe") {
    in_scheduler([] {
        const struct {
            std::string method;
            std::string body;
            bool is_sent_again;
        } table[] = {{"GET", "", true},     {"HEAD", "", true},     {"PUT", "", true},   {"DELETE", "", true},
                     {"OPTIONS", "", true}, {"PUT", "body", false}, {"POST", "", false}, {"PATCH", "", false},
                     {"BREW", "", false},   {"POST", "body", false}};
        for (const auto& row : table) {
            CAPTURE(row.method);
            CAPTURE(row.body);
            origin server;
            server.closes_second = true;
            app proxy{"reverse_proxy", {server.at()}};
            auto client = proxy.connect();
            client.write_all("GET / HTTP/1.1\r\n" + host + "\r\n");
            CHECK(status_in(read_to(client, "ok")) == 200);
            client.write_all(row.method + " / HTTP/1.1\r\n" + host +
                             "Content-Length: " + std::to_string(row.body.size()) + "\r\n" + ends_then + row.body);
            CHECK(status_in(read_all(client)) == (row.is_sent_again ? 200 : 502));
            CHECK(server.requests == (row.is_sent_again ? 3 : 2));
            proxy.end();
        }
    });
}

TEST_CASE("reverse_proxy: a request is not sent again on a new connection, nor after a part of an answer") {
    in_scheduler([] {
        origin server;
        app proxy{"reverse_proxy", {server.at()}};
        server.answer = "";
        server.closes = true;
        CHECK(status_in(ask(proxy, get())) == 502);
        CHECK(server.requests == 1);
        server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        server.closes = false;
        CHECK(status_in(ask(proxy, get())) == 200);
        server.closes = true;
        server.answer = "HTTP/1.1 103 Early Hints\r\n\r\n";
        CHECK(contains(ask(proxy, get()), "502 Bad Gateway"));
        CHECK(server.requests == 3);
        server.closes = false;
        server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        CHECK(status_in(ask(proxy, get())) == 200);
        server.closes = true;
        server.answer = "HTTP/1.1 2";
        CHECK(status_in(ask(proxy, get())) == 502);
        CHECK(server.requests == 5);
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: an answer that is cut short does not look complete") {
    in_scheduler([] {
        const std::string ok = "HTTP/1.1 200 OK\r\n";
        for (const std::string& part : {ok + "Content-Length: 5\r\n\r\nok", ok + chunked + "\r\n2\r\nok\r\n"}) {
            for (const std::string& sent : {get(), std::string{"GET / HTTP/1.0\r\n\r\n"}}) {
                CAPTURE(part);
                CAPTURE(sent);
                origin server;
                app proxy{"reverse_proxy", {server.at()}};
                server.answer = part;
                server.closes = true;
                auto client = proxy.connect();
                client.write_all(sent);
                std::error_code ec;
                std::array<std::byte, 4096> piece;
                while (client.read_some(piece, 20s, ec) > 0 && !ec) {
                }
                CHECK(ec == std::errc::connection_reset);
                proxy.end();
            }
        }
    });
}

TEST_CASE("reverse_proxy: 100 Continue comes from the server, and the body goes to it only then") {
    in_scheduler([] {
        auto [server, proxy, client] = bare_proxy{};
        client.write_all(post("Expect: 100-continue\r\nContent-Length: 4\r\n", ""));
        auto peer = server.accept(10s);
        CHECK(contains(read_to(peer, "\r\n\r\n"), "Expect: 100-continue\r\n"));
        CHECK_THROWS_AS(read_text(client, 50ms), coir::timed_out);
        peer.write_all("HTTP/1.1 100 Continue\r\n\r\n");
        CHECK(read_to(client, "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all("body");
        CHECK(read_to(peer, "body") == "body");
        peer.write_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        CHECK(read_all(client).ends_with("\r\n\r\nok"));
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: an answer that comes before the whole body reaches the client, and ends the connection") {
    in_scheduler([] {
        for (const bool expects : {true, false}) {
            auto [server, proxy, client] = bare_proxy{};
            client.write_all("POST / HTTP/1.1\r\n" + host + (expects ? "Expect: 100-continue\r\n" : "") +
                             "Content-Length: 50000000\r\n\r\n");
            const std::string body(expects ? 0 : 50'000'000, 'x');
            auto sending = start_sending(client, body);
            auto peer = server.accept(10s);
            read_to(peer, "\r\n\r\n");
            peer.write_all("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\nno");
            const std::string answer = read_all(client);
            CHECK(status_in(answer) == 413);
            CHECK(answer.ends_with("\r\n\r\nno"));
            sending.join(20s);
            proxy.end();
        }
    });
}

TEST_CASE("reverse_proxy: body and answer pass at the same time, piece by piece") {
    in_scheduler([] {
        auto [server, proxy, client] = bare_proxy{};
        client.write_all(post(chunked, "3\r\none\r\n"));
        auto peer = server.accept(10s);
        CHECK(contains(read_to(peer, "one"), "one"));
        peer.write_all("HTTP/1.1 200 OK\r\n" + chunked + "\r\n3\r\nuno\r\n");
        CHECK(contains(read_to(client, "uno"), "200 OK"));
        client.write_all("3\r\ntwo\r\n");
        CHECK(contains(read_to(peer, "two"), "two"));
        peer.write_all("3\r\ndue\r\n");
        CHECK(contains(read_to(client, "due"), "due"));
        client.write_all("0\r\n\r\n");
        CHECK(contains(read_to(peer, "0\r\n\r\n"), "0\r\n\r\n"));
        peer.write_all("0\r\n\r\n");
        CHECK(contains(read_all(client), "0\r\n\r\n"));
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: a WebSocket is connected through, with what both sides have sent ahead") {
    in_scheduler([] {
        auto [server, proxy, client] = bare_proxy{};
        client.write_all("GET /chat HTTP/1.1\r\n" + host +
                         "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                         "Sec-WebSocket-Key: x\r\n\r\nahead");
        auto peer = server.accept(10s);
        const std::string seen = read_to(peer, "\r\n\r\n");
        CHECK(contains(seen, "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
        CHECK(contains(seen, "Sec-WebSocket-Key: x\r\n"));
        peer.write_all("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
        CHECK(contains(read_to(client, "first"), "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
        CHECK(read_to(peer, "ahead") == "ahead");
        peer.shutdown();
        CHECK(read_all(client).empty());
        client.write_all("last");  // the other direction is open still
        client.shutdown();
        CHECK(read_all(peer) == "last");
        proxy.end();
    });
}

TEST_CASE("reverse_proxy: the refusal reaches a client that is still sending") {
    in_scheduler([] {
        origin server;
        app proxy{"reverse_proxy", {server.at()}};
        auto client = proxy.connect();
        const std::string sent = post("Transfer-Encoding: gzip\r\n", std::string(4 << 20, 'x'));
        auto sending = start_sending(client, sent);
        CHECK(status_in(read_all(client)) == 400);
        sending.join(20s);
        proxy.end();
    });
}
