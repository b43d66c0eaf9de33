#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "net/tls/tls_pair.hpp"
#include "support/captured_log.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::client_certificates;
using coir::net::tcp_stream;
using coir::net::tls_context;
using coir::net::tls_stream;

namespace {

/// What `serve` reports when `client` connects to a handler that makes a handshake and echoes.
std::vector<std::string> reported(const tls_context& server, const std::function<void(tcp_stream)>& client,
                                  coir::deadline until = 10s) {
    std::vector<std::string> messages;
    auto listener = listen_on_loopback();
    coir::event ended;
    auto serving = coir::spawn([&] {
        listener.serve([&](tcp_stream peer) {
            try {
                const coir::detail::scope_exit at_end{[&] { ended.set(); }};
                auto stream = tls_stream::accept(server, std::move(peer), until);
                std::array<std::byte, 64> buffer;
                while (const std::size_t n = stream.read_some(buffer)) stream.write_all(std::span{buffer}.first(n));
                stream.shutdown();
            } catch (const std::exception& failure) {
                messages.emplace_back(failure.what());
                throw;
            }
        });
    });
    client(tcp_stream::connect(listener.local_endpoint()));
    ended.wait(10s);
    coir::this_fiber::yield();
    serving.request_stop();
    serving.join();
    return messages;
}

}  // namespace

TEST_CASE("tls: clients that leave, or do not speak TLS, are no failures of a server") {
    const captured_log log;
    in_scheduler([] {
        const world all;
        const auto server = all.server();
        std::vector<std::string> failures;
        const auto add = [&](const std::function<void(tcp_stream)>& client) {
            auto more = reported(server, client);
            REQUIRE(more.size() == 1);
            failures.push_back(more.front());
        };
        add([](tcp_stream) {});                         // closes
        add([](tcp_stream stream) { reset(stream); });  // resets
        for (const char* const sent : {"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01", "\x16\x03\x01\x00\x05hello", "garbage",
                                       "SSH-2.0-OpenSSH_9.2\r\n"}) {
            add([&](tcp_stream stream) {
                stream.write_all(sent);
                stream.shutdown();
                std::array<std::byte, 64> answer;
                std::error_code ec;
                while (stream.read_some(answer, 10s, ec) != 0) {
                }
            });
        }
    });
    CHECK(log.text().empty());
}

TEST_CASE("tls: a client that sends nothing until the deadline is no failure of a server") {
    const captured_log log;
    in_scheduler([] {
        const world all;
        const auto failures = reported(
            all.server(),
            [](tcp_stream stream) {
                std::array<std::byte, 1> byte;
                CHECK(stream.read_some(byte, 10s) == 0);
            },
            10ms);
        REQUIRE(failures.size() == 1);
        CHECK(failures.front().find("tls_stream::accept from 127.0.0.1:") != std::string::npos);
    });
    CHECK(log.text().empty());
}

TEST_CASE("tls: clients that refuse the server, or that the server refuses, are no failures of a server") {
    const captured_log log;
    in_scheduler([] {
        const world all;
        const auto strict =
            all.server({.clients = client_certificates::required, .client_authorities = all.authority_file});
        const auto connects = [](const tls_context& with) {
            return [&with](tcp_stream stream) {
                std::error_code ec;
                auto made = tls_stream::connect(with, std::move(stream), "server.test", 10s, ec);
                std::array<std::byte, 1> byte;
                if (!ec) made.read_some(byte, 10s, ec);
                CHECK(ec);
            };
        };
        const auto distrustful = tls_context::client();
        CHECK(reported(all.server(), connects(distrustful)).size() == 1);
        const auto anonymous = all.client();
        CHECK(reported(strict, connects(anonymous)).size() == 1);
        const auto stranger = all.client({.identity = {certificate{"self", {}}.put(all.folder)}});
        CHECK(reported(strict, connects(stranger)).size() == 1);
        const auto old = all.client();
        SSL_CTX_set_max_proto_version(old.native_handle(), TLS1_1_VERSION);
        CHECK(reported(all.server(), connects(old)).size() == 1);
        const auto other_protocol = all.client({.protocols = {"other"}});
        CHECK(reported(all.server({.protocols = {"h2"}}), connects(other_protocol)).size() == 1);
    });
    CHECK(log.text().empty());
}

TEST_CASE("tls: a client that ends without close_notify after its request is no failure of a server") {
    const captured_log log;
    in_scheduler([] {
        const world all;
        const auto client = all.client();
        const auto failures = reported(all.server(), [&](tcp_stream stream) {
            auto made = tls_stream::connect(client, std::move(stream), "server.test", 10s);
            made.write_all("x");
            CHECK(read_text(made) == "x");
            made.tcp().close();
        });
        CHECK(failures.size() == 1);
    });
    CHECK(log.text().empty());
}

TEST_CASE("tls: a server that cannot use its own certificate has failed, and the log says so") {
    const captured_log log;
    in_scheduler([] {
        const world all;
        const auto weak = all.issue("weak", {.names = {"DNS:weak.test"}, .key = key_kind::rsa});
        const auto server = all.server({.identities = {all.identity, weak}});
        ::SSL_CTX_set_security_level(server.native_handle(), 3);  // needs RSA keys of 3,072 bits
        const auto client = all.client();
        const auto connect = [&](tcp_stream stream) {
            std::error_code ec;
            tls_stream::connect(client, std::move(stream), "weak.test", 10s, ec);
            CHECK(ec);
        };
        CHECK(reported(server, connect).size() == 1);
    });
    CHECK(log.count("ee key too small") == 1);
}

TEST_CASE("tls: a handler that cannot reach another TLS server has failed, and the log says so") {
    const captured_log log;
    in_scheduler([] {
        const world all;
        auto listener = listen_on_loopback(), upstream = listen_on_loopback();
        const auto distrustful = tls_context::client();
        coir::event ended;
        auto serving = coir::spawn([&] {
            listener.serve([&](tcp_stream) {
                const coir::detail::scope_exit at_end{[&] { ended.set(); }};
                tls_stream::connect(distrustful, tcp_stream::connect(upstream.local_endpoint()), "server.test", 10s);
            });
        });
        auto client = tcp_stream::connect(listener.local_endpoint());
        std::error_code refused;
        tls_stream::accept(all.server(), upstream.accept(10s), 10s, refused);
        ended.wait(10s);
        coir::this_fiber::yield();
        serving.request_stop();
    });
    CHECK(log.count("tls_stream::connect to server.test") == 1);
}
