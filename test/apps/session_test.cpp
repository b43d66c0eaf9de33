// The HTTP client session of the apps, against a server that the test plays.
#include "session.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;
using namespace coir::test;

namespace {

/// Answers the first request of each connection, and ends the connection at the second one. Its answers come after
/// `before`.
struct short_server {
    void serve(coir::net::tcp_stream peer) {
        coir::io::buffered_reader lines{peer};
        for (int n = 1;; ++n) {
            const auto first = lines.read_line();
            if (!first) return;
            while (!lines.read_line().value_or("").empty()) {
            }
            ++requests;
            if (n == 2) return;
            peer.write_all(before + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }

    std::string before{};
    int requests = 0;
    coir::net::tcp_listener listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    std::string url = "http://" + listener.local_endpoint().to_string() + "/";
    coir::fiber<void> serving =
        coir::spawn([this] { listener.serve([this](coir::net::tcp_stream peer) { serve(std::move(peer)); }); });
};

}  // namespace

TEST_CASE("http_session: a request is sent again if a kept connection ends, and a POST is not") {
    in_scheduler([] {
        short_server server;
        http_session session;
        CHECK(session.get(server.url, 10s).text == "ok");
        CHECK(session.get(server.url, 10s).text == "ok");
        CHECK(server.requests == 3);
        CHECK_THROWS_AS(session.post(server.url, "", 10s), std::runtime_error);
        CHECK(server.requests == 4);
        CHECK(session.post(server.url, "", 10s).text == "ok");
    });
}

TEST_CASE("http_session: an informational answer is not the answer") {
    in_scheduler([] {
        short_server server;
        server.before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        http_session session;
        CHECK(session.get(server.url, 10s).text == "ok");
    });
}
