#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "net/tls/tls_pair.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <fstream>
#include <string>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::certificate_category;
using coir::net::client_certificates;
using coir::net::tcp_stream;
using coir::net::tls_category;
using coir::net::tls_client_options;
using coir::net::tls_context;
using coir::net::tls_server_options;
using coir::net::tls_stream;

namespace {

std::error_code refusal(int code) { return {code, certificate_category()}; }

/// The result of a client's handshake with a server that has this certificate.
std::error_code verdict(const world& all, const coir::net::tls_identity& identity, std::string host = "server.test") {
    return shake_hands(all.client(), all.server({.identities = {identity}}), host).client_failure;
}

}  // namespace

// ---- verification -------------------------------------------------------------------------------------------------

TEST_CASE("tls: a certificate with a chain to a trusted authority and the right host name is accepted") {
    in_scheduler([] {
        const world all;
        for (const char* const host : {"server.test", "SERVER.test", "server.test.", "127.0.0.1", "::1"}) {
            auto pair = shake_hands(all.client(), all.server(), host);
            CHECK_MESSAGE(!pair.client_failure, host << ": " << pair.client_failure.message());
            CHECK(pair.client.peer_subject() == "CN=server.test");
        }
    });
}

TEST_CASE("tls: a certificate for another host or address is refused") {
    in_scheduler([] {
        const world all;
        CHECK(verdict(all, all.identity, "other.test") == refusal(X509_V_ERR_HOSTNAME_MISMATCH));
        CHECK(verdict(all, all.identity, "sub.server.test") == refusal(X509_V_ERR_HOSTNAME_MISMATCH));
        CHECK(verdict(all, all.identity, "127.0.0.2") == refusal(X509_V_ERR_IP_ADDRESS_MISMATCH));
        const auto wildcard = all.issue("wild", {.names = {"DNS:*.server.test"}});
        CHECK_FALSE(verdict(all, wildcard, "sub.server.test"));
        CHECK(verdict(all, wildcard, "a.b.server.test") == refusal(X509_V_ERR_HOSTNAME_MISMATCH));
        const auto partial = all.issue("partial", {.names = {"DNS:s*.test"}});
        CHECK(verdict(all, partial) == refusal(X509_V_ERR_HOSTNAME_MISMATCH));
    });
}

TEST_CASE("tls: the certificate of an address need not name the interface through which it is reached") {
    in_scheduler([] {
        const world all;
        CHECK_FALSE(verdict(all, all.identity, "::1%lo"));
        CHECK(verdict(all, all.identity, "::2%lo") == refusal(X509_V_ERR_IP_ADDRESS_MISMATCH));
    });
}

TEST_CASE("tls: an expired certificate, or one that is not yet valid, is refused") {
    in_scheduler([] {
        const world all;
        const auto old = all.issue("old", {.names = {"DNS:server.test"}, .begins = -7'200, .ends = -3'600});
        CHECK(verdict(all, old) == refusal(X509_V_ERR_CERT_HAS_EXPIRED));
        const auto early = all.issue("early", {.names = {"DNS:server.test"}, .begins = 3'600});
        CHECK(verdict(all, early) == refusal(X509_V_ERR_CERT_NOT_YET_VALID));
    });
}

TEST_CASE("tls: a self-signed certificate, and one of an unknown authority, are refused") {
    in_scheduler([] {
        const world all;
        const auto own = certificate{"self", {.names = {"DNS:server.test"}}}.put(all.folder);
        CHECK(verdict(all, own) == refusal(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT));
        const certificate stranger{"stranger", {.is_authority = true}};
        const auto theirs = certificate{"theirs", {.names = {"DNS:server.test"}}, &stranger}.put(all.folder);
        CHECK(verdict(all, theirs) == refusal(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY));
    });
}

TEST_CASE("tls: the error message names the host, the certificate and the reason") {
    in_scheduler([] {
        const world all;
        const auto old = all.issue("old", {.names = {"DNS:server.test"}, .begins = -7'200, .ends = -3'600});
        const auto pair = shake_hands(all.client(), all.server({.identities = {old}}));
        for (const char* const part :
             {"tls_stream::connect to server.test", "CN=old", "CN=coir test authority", "valid from", "has expired"}) {
            CHECK_MESSAGE(pair.what.find(part) != std::string::npos, pair.what);
        }
    });
}

TEST_CASE("tls: by default, only the system's authorities are trusted") {
    in_scheduler([] {
        const world all;
        const auto pair = shake_hands(tls_context::client(), all.server());
        CHECK(pair.client_failure.category() == certificate_category());
    });
}

TEST_CASE("tls: with verification explicitly turned off, any certificate is accepted") {
    in_scheduler([] {
        const world all;
        const auto own = certificate{"self", {}}.put(all.folder);
        auto pair = shake_hands(all.client({.insecure_skip_verification = true}), all.server({.identities = {own}}));
        CHECK_FALSE(pair.client_failure);
        CHECK(pair.client.peer_subject() == "CN=self");
    });
}

TEST_CASE("tls: an empty host, or one with a zero byte, is refused") {
    in_scheduler([] {
        const world all;
        const auto context = all.client();
        for (const std::string_view host : {std::string_view{}, std::string_view{"server.test\0.evil", 17}}) {
            auto ends = connection::make();
            CHECK(error_of([&] { tls_stream::connect(context, std::move(ends.near), host); }) ==
                  std::errc::invalid_argument);
        }
    });
}

TEST_CASE("tls: versions before TLS 1.2 are refused") {
    in_scheduler([] {
        const world all;
        const auto client = all.client(), server = all.server();
        SSL_CTX_set_max_proto_version(client.native_handle(), TLS1_1_VERSION);
        SSL_CTX_set_min_proto_version(client.native_handle(), TLS1_VERSION);
        const auto pair = shake_hands(client, server);
        CHECK(pair.client_failure);
        CHECK(pair.server_failure);
    });
}

// ---- negotiation --------------------------------------------------------------------------------------------------

TEST_CASE("tls: both ends report the negotiated parameters") {
    in_scheduler([] {
        const world all;
        auto pair = shake_hands(all.client({.protocols = {"h2", "http/1.1"}}), all.server({.protocols = {"http/1.1"}}));
        CHECK(pair.client.protocol() == "http/1.1");
        CHECK(pair.server.protocol() == "http/1.1");
        CHECK(pair.client.version() == "TLSv1.3");
        CHECK(pair.server.server_name() == "server.test");
        CHECK(pair.client.tcp().remote_endpoint() == pair.server.tcp().local_endpoint());
        CHECK(pair.server.peer_subject().empty());
    });
}

TEST_CASE("tls: the server's preference selects the protocol, and without a common one the handshake fails") {
    in_scheduler([] {
        const world all;
        const auto server = all.server({.protocols = {"b", "a"}});
        auto pair = shake_hands(all.client({.protocols = {"a", "b"}}), server);
        CHECK(pair.client.protocol() == "b");
        auto none = shake_hands(all.client({.protocols = {"c"}}), server);
        CHECK(none.client_failure.category() == tls_category());
        CHECK(none.client_failure.message().find("no application protocol") != std::string::npos);
        auto silent = shake_hands(all.client(), server);
        CHECK_FALSE(silent.client_failure);
        CHECK(silent.client.protocol().empty());
    });
}

TEST_CASE("tls: a server with several certificates uses the one for the requested name, or else the first") {
    in_scheduler([] {
        const world all;
        const auto one = all.issue("one", {.names = {"DNS:one.test"}});
        const auto two = all.issue("two", {.names = {"DNS:*.two.test"}});
        const auto server = all.server({.identities = {one, two}});
        CHECK(shake_hands(all.client(), server, "one.test").client.peer_subject() == "CN=one");
        CHECK(shake_hands(all.client(), server, "x.two.test").client.peer_subject() == "CN=two");
        const auto careless = all.client({.insecure_skip_verification = true});
        CHECK(shake_hands(careless, server, "three.test").client.peer_subject() == "CN=one");
        CHECK(shake_hands(careless, server, "127.0.0.1").client.peer_subject() == "CN=one");
    });
}

TEST_CASE("tls: a session of another port is not resumed") {
    in_scheduler([] {
        const world all;
        for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
            const auto client = all.client(), server = all.server();
            SSL_CTX_set_max_proto_version(server.native_handle(), version);
            for (int i = 0; i < 2; ++i) {
                auto pair = shake_hands(client, server);  // each with its own listener
                pair.server.write_all("x");               // session tickets arrive with the first data
                CHECK(read_text(pair.client) == "x");
                CHECK_FALSE(pair.client.is_resumed());
                CHECK_FALSE(pair.server.is_resumed());
            }
        }
    });
}

TEST_CASE("tls: a session of the same host and port is resumed, and both ends report it") {
    in_scheduler([] {
        const world all;
        for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
            const auto client = all.client(), server = all.server();
            SSL_CTX_set_max_proto_version(server.native_handle(), version);
            auto listener = listen_on_loopback();
            const std::uint16_t port = listener.local_endpoint().port();
            std::vector<bool> resumed_here;
            auto serving = coir::spawn([&] {
                listener.serve([&](tcp_stream peer) {
                    auto stream = tls_stream::accept(server, std::move(peer), 10s);
                    resumed_here.push_back(stream.is_resumed());
                    stream.write_all("x");
                    static_cast<void>(read_text(stream));
                });
            });
            const auto talk = [&](const std::string& host) {
                auto stream = tls_stream::connect(client, host, port, 10s);
                CHECK(read_text(stream) == "x");
                return stream.is_resumed();
            };
            CHECK_FALSE(talk("127.0.0.1"));
            CHECK(talk("127.0.0.1"));
            CHECK(talk("127.0.0.1"));
            const std::vector<bool> expected{false, true, true};
            CHECK(resumed_here == expected);
            serving.request_stop();
            serving.join();
        }
    });
}

// ---- client certificates ------------------------------------------------------------------------------------------

TEST_CASE("tls: a server that requires client certificates identifies the client, and refuses clients without one") {
    in_scheduler([] {
        const world all;
        const auto mine = all.issue("client", {});
        const auto server =
            all.server({.clients = client_certificates::required, .client_authorities = all.authority_file});
        auto known = shake_hands(all.client({.identity = {mine}}), server);
        CHECK_FALSE(known.server_failure);
        CHECK(known.server.peer_subject() == "CN=client");

        auto nobody = shake_hands(all.client(), server);
        CHECK(nobody.server_failure.category() == tls_category());
        CHECK(nobody.server_failure.message().find("did not return a certificate") != std::string::npos);
        // With TLS 1.3, a client completes before the server has verified it; the client gets the error when it reads.
        REQUIRE(nobody.client.is_open());
        std::array<std::byte, 1> place;
        std::error_code ec;
        CHECK(nobody.client.read_some(place, coir::never, ec) == 0);
        CHECK(ec.message().find("certificate required") != std::string::npos);

        const auto own = certificate{"self", {}}.put(all.folder);
        auto stranger = shake_hands(all.client({.identity = {own}}), server);
        CHECK(stranger.server_failure.category() == certificate_category());
    });
}

TEST_CASE("tls: a server with optional client certificates accepts clients without one, but no invalid ones") {
    in_scheduler([] {
        const world all;
        const auto server =
            all.server({.clients = client_certificates::verified_if_sent, .client_authorities = all.authority_file});
        auto nobody = shake_hands(all.client(), server);
        CHECK_FALSE(nobody.server_failure);
        CHECK(nobody.server.peer_subject().empty());
        const auto own = certificate{"self", {}}.put(all.folder);
        CHECK(shake_hands(all.client({.identity = {own}}), server).server_failure.category() == certificate_category());
    });
}

// ---- contexts ----------------------------------------------------------------------------------------------------

TEST_CASE("tls_context: errors for missing, malformed or mismatching files name the file and the reason") {
    const world all;
    const auto own = certificate{"self", {}}.put(all.folder);
    const auto refuses = [&](const coir::net::tls_identity& identity, const char* named, const char* reason) {
        try {
            static_cast<void>(all.server({.identities = {identity}}));
            FAIL("accepted");
        } catch (const std::system_error& failure) {
            const std::string what = failure.what();
            CHECK_MESSAGE(what.find(named) != std::string::npos, what);
            CHECK_MESSAGE(what.find(reason) != std::string::npos, what);
        }
    };
    refuses({all.folder.file("none.pem"), own.key}, "none.pem'", "No such file");
    refuses({own.certificate_chain, all.folder.file("none.key")}, "none.key'", "No such file");
    refuses({own.certificate_chain, all.identity.key}, "server.test.key'", "mismatch");
    refuses({own.key, own.key}, "self.key'", "no start line");
    std::ofstream{all.folder.file("locked.key")} << certificate{"locked", {}}.key_pem("secret");
    refuses({own.certificate_chain, all.folder.file("locked.key")}, "locked.key'", "protected by a password");
    CHECK_THROWS_WITH_AS(tls_context::client({.authorities = all.folder.file("none.pem")}),
                         doctest::Contains("none.pem'"), std::system_error);
}

TEST_CASE("tls_context: contradicting options are refused") {
    const world all;
    const auto code = [&](auto&& make) { return error_of([&] { static_cast<void>(make()); }); };
    CHECK(code([&] { return tls_context::server({}); }) == std::errc::invalid_argument);
    CHECK(code([&] { return all.server({.clients = client_certificates::required}); }) == std::errc::invalid_argument);
    CHECK(code([&] { return all.server({.client_authorities = all.authority_file}); }) == std::errc::invalid_argument);
    CHECK(code([&] { return all.client({.identity = {all.identity, all.identity}}); }) == std::errc::invalid_argument);
    CHECK(code([&] { return all.client({.protocols = {""}}); }) == std::errc::invalid_argument);
    CHECK(code([&] { return all.client({.protocols = {std::string(256, 'x')}}); }) == std::errc::invalid_argument);
}

TEST_CASE("tls_context: can be made outside of a fiber, and be used by schedulers of several threads") {
    const world all;
    const auto client = all.client(), server = all.server();
    const auto talk = [&] {
        in_scheduler([&] {
            for (int i = 0; i < 10; ++i) {
                auto pair = shake_hands(client, server);
                pair.client.write_all("x");
                CHECK(read_text(pair.server) == "x");
            }
        });
    };
    std::thread other{talk};
    talk();
    other.join();
}

// ---- misbehaving peers --------------------------------------------------------------------------------------------

TEST_CASE("tls: a peer that does not speak TLS, or closes in the middle, ends the handshake") {
    in_scheduler([] {
        const world all;
        const auto client = all.client(), server = all.server();
        {
            auto ends = connection::make();
            ends.far.write_all("HTTP/1.0 400 Bad Request\r\n\r\n");
            std::error_code ec;
            CHECK_FALSE(tls_stream::connect(client, std::move(ends.near), "server.test", 5s, ec).is_open());
            CHECK(ec.category() == tls_category());
            CHECK(ec.message() == "wrong version number");
        }
        {
            auto ends = connection::make();
            ends.near.write_all("GET / HTTP/1.0\r\n\r\n");
            std::error_code ec;
            CHECK_FALSE(tls_stream::accept(server, std::move(ends.far), 5s, ec).is_open());
            CHECK(ec.message() == "http request");
        }
        {
            auto ends = connection::make();
            ends.far.close();
            std::error_code ec;
            CHECK_FALSE(tls_stream::connect(client, std::move(ends.near), "server.test", 5s, ec).is_open());
            const bool is_said = ec.message() == "unexpected eof while reading" || ec == std::errc::connection_reset ||
                                 ec == std::errc::broken_pipe;
            CHECK_MESSAGE(is_said, ec.message());
        }
    });
}

TEST_CASE("tls: data of a client that closed before the server's handshake completed is still read") {
    in_scheduler([] {
        const world all;
        const auto server = all.server();
        auto ends = connection::make();
        auto accepting = coir::spawn([&] {
            auto stream = tls_stream::accept(server, std::move(ends.far), 10s);
            std::string heard = read_text(stream);
            CHECK(read_text(stream).empty());
            return heard;
        });
        {
            auto client = tls_stream::connect(all.client(), std::move(ends.near), "server.test", 10s);
            client.write_all("goodbye");
            REQUIRE_FALSE(accepting.done());
        }
        CHECK(accepting.get() == "goodbye");
    });
}

TEST_CASE("tls: a handshake with a silent peer ends at its deadline or with a stop, and leaves no descriptor open") {
    in_scheduler([] {
        const world all;
        const auto client = all.client(), server = all.server();
        auto silent = connection::make();
        CHECK_THROWS_AS(tls_stream::accept(server, std::move(silent.far), 1ms), coir::timed_out);
        CHECK(silent.near.is_open());
        CHECK(read_text(silent.near).empty());

        auto other = connection::make();
        auto stopped = coir::spawn([&] { tls_stream::connect(client, std::move(other.near), "server.test"); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        while (!read_text(other.far).empty()) {
        }
    });
}

TEST_CASE("tls: entries of other fibers in OpenSSL's error queue are not taken for own errors") {
    in_scheduler([] {
        const world all;
        const auto client = all.client(), server = all.server();
        auto litterer = coir::spawn([] {
            for (;;) {
                ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
                coir::this_fiber::yield();
            }
        });
        auto pair = shake_hands(client, server);
        REQUIRE_FALSE(pair.client_failure);
        for (int i = 0; i < 100; ++i) {
            pair.client.write_all("question");
            CHECK(read_text(pair.server) == "question");
        }
        CHECK_THROWS_AS(read_text(pair.client, 1ms), coir::timed_out);
        litterer.request_stop();
    });
}

TEST_CASE("tls: a handshake with a certificate chain fits on a stack of 64 KiB") {
    in_scheduler([] {
        const world all;
        const auto client = all.client(), server = all.server();
        auto ends = connection::make();
        auto accepting = coir::spawn({.stack_size = 64 << 10}, [&] {
            auto stream = tls_stream::accept(server, std::move(ends.far), 10s);
            stream.write_all("done");
        });
        auto connecting = coir::spawn({.stack_size = 64 << 10}, [&] {
            auto stream = tls_stream::connect(client, std::move(ends.near), "server.test", 10s);
            CHECK(read_text(stream) == "done");
        });
        accepting.get();
        connecting.get();
    });
}
