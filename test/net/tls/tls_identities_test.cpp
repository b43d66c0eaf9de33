#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "net/tls/tls_pair.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::client_certificates;
using coir::net::tls_client_options;
using coir::net::tls_context;
using coir::net::tls_server_options;
using coir::net::tls_stream;

namespace {

constexpr std::array hosts{"one.test", "two.test", "x.three.test", "unknown.test"};

/// A server with three identities: an ECDSA key, an RSA key, and a wildcard name.
struct three_identities : world {
    [[nodiscard]] tls_context server(tls_server_options options = {}) const {
        options.identities = {issue("one", {.names = {"DNS:one.test"}}),
                              issue("two", {.names = {"DNS:two.test"}, .key = key_kind::rsa}),
                              issue("three", {.names = {"DNS:*.three.test"}})};
        return world::server(options);
    }

    /// A client that accepts the first identity for a host that no identity names.
    [[nodiscard]] tls_context client(tls_client_options options = {}) const {
        options.insecure_skip_verification = true;
        return world::client(options);
    }
};

/// Connections to one port, so that the client's sessions can be resumed.
struct one_port {
    tls_pair shake_hands(const tls_context& client, const tls_context& server, const std::string& host) {
        auto near = coir::net::tcp_stream::connect(listener.local_endpoint());
        tls_pair made = coir::test::shake_hands(client, server, host, {std::move(near), listener.accept()});
        REQUIRE_FALSE(made.client_failure);
        REQUIRE_FALSE(made.server_failure);
        made.server.write_all("x");  // session tickets arrive with the first data
        CHECK(read_text(made.client) == "x");
        return made;
    }

    coir::net::tcp_listener listener = listen_on_loopback();
};

/// A client of OpenSSL alone, in memory, that tries to resume its last session whatever the name of the host.
class careless_client {
public:
    struct outcome {
        bool is_resumed;
        std::string subject;
    };

    outcome shake_hands(const tls_context& with, const char* host) {
        const std::unique_ptr<SSL, void (*)(SSL*)> near{::SSL_new(context_.get()), ::SSL_free};
        const std::unique_ptr<SSL, void (*)(SSL*)> far{::SSL_new(with.native_handle()), ::SSL_free};
        BIO *near_end = nullptr, *far_end = nullptr;
        REQUIRE(::BIO_new_bio_pair(&near_end, 0, &far_end, 0) == 1);
        ::SSL_set_bio(near.get(), near_end, near_end);
        ::SSL_set_bio(far.get(), far_end, far_end);
        ::SSL_set_connect_state(near.get());
        ::SSL_set_accept_state(far.get());
        SSL_set_tlsext_host_name(near.get(), host);
        if (last_ != nullptr) ::SSL_set_session(near.get(), last_.get());
        for (int i = 0; i < 10; ++i) {
            char byte = 0;  // a read also takes the session tickets of TLS 1.3
            ::SSL_read(near.get(), &byte, 1);
            ::SSL_do_handshake(far.get());
        }
        REQUIRE(::SSL_is_init_finished(near.get()) == 1);
        ::SSL_set_shutdown(near.get(), SSL_SENT_SHUTDOWN);  // otherwise the session is lost
        last_.reset(::SSL_get1_session(near.get()));
        char name[64] = "";
        const X509* const shown = ::SSL_get0_peer_certificate(near.get());
        ::X509_NAME_get_text_by_NID(::X509_get_subject_name(shown), NID_commonName, name, sizeof name);
        return {::SSL_session_reused(near.get()) == 1, name};
    }

private:
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free};
    std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)> last_{nullptr, ::SSL_SESSION_free};
};

std::string cipher(const tls_stream& of) { return ::SSL_get_cipher_name(of.tls_handle()); }

}  // namespace

TEST_CASE("tls identities: each has its own certificate, whichever kind of key the client prefers") {
    in_scheduler([] {
        const three_identities all;
        const auto server = all.server();
        for (const char* const kinds : {"ECDSA+SHA256:RSA-PSS+SHA256", "RSA-PSS+SHA256:ECDSA+SHA256"}) {
            const auto client = all.world::client();
            SSL_CTX_set1_sigalgs_list(client.native_handle(), kinds);
            CHECK(shake_hands(client, server, "one.test").client.peer_subject() == "CN=one");
            CHECK(shake_hands(client, server, "two.test").client.peer_subject() == "CN=two");
            CHECK(shake_hands(client, server, "x.three.test").client.peer_subject() == "CN=three");
        }
    });
}

TEST_CASE("tls identities: each is sent with its chain of intermediate certificates") {
    in_scheduler([] {
        const world all;
        const certificate between{"between", {.is_authority = true}, &all.authority};
        std::vector<coir::net::tls_identity> identities{all.identity};
        for (const char* const name : {"one.test", "two.test"}) {
            const certificate leaf{name, {.names = {std::string{"DNS:"} + name}}, &between};
            identities.push_back(leaf.put(all.folder));
            std::ofstream{identities.back().certificate_chain, std::ios::app} << between.pem();
        }
        const auto server = all.server({.identities = identities});
        CHECK_FALSE(shake_hands(all.client(), server, "one.test").client_failure);
        CHECK_FALSE(shake_hands(all.client(), server, "two.test").client_failure);
    });
}

TEST_CASE("tls identities: the protocols of ALPN are those of all identities") {
    in_scheduler([] {
        const three_identities all;
        const auto server = all.server({.protocols = {"h2", "http/1.1"}});
        for (const char* const host : hosts) {
            CAPTURE(host);
            auto pair = shake_hands(all.client({.protocols = {"http/1.1", "h2"}}), server, host);
            CHECK(pair.client.protocol() == "h2");
            CHECK(pair.server.protocol() == "h2");
            CHECK(shake_hands(all.client({.protocols = {"other"}}), server, host).client_failure);
        }
    });
}

TEST_CASE("tls identities: all of them demand a client certificate") {
    in_scheduler([] {
        const three_identities all;
        const auto mine = all.issue("client", {});
        const auto foreign = certificate{"foreign", {}}.put(all.folder);
        const auto server =
            all.server({.clients = client_certificates::required, .client_authorities = all.authority_file});
        for (const char* const host : hosts) {
            CAPTURE(host);
            auto known = shake_hands(all.client({.identity = {mine}}), server, host);
            CHECK_FALSE(known.server_failure);
            CHECK(known.server.peer_subject() == "CN=client");
            CHECK(shake_hands(all.client(), server, host).server_failure);
            CHECK(shake_hands(all.client({.identity = {foreign}}), server, host).server_failure);
        }
    });
}

TEST_CASE("tls identities: native_handle restricts versions, ciphers and curves of all of them") {
    in_scheduler([] {
        const three_identities all;
        const auto server = all.server();
        SSL_CTX* const settings = server.native_handle();
        ::SSL_CTX_set_cipher_list(settings, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
        ::SSL_CTX_set_ciphersuites(settings, "TLS_CHACHA20_POLY1305_SHA256");
        SSL_CTX_set1_groups_list(settings, "P-384");
        for (const char* const host : hosts) {
            CAPTURE(host);
            const auto client = all.client();
            auto newest = shake_hands(client, server, host);
            CHECK(cipher(newest.client) == "TLS_CHACHA20_POLY1305_SHA256");
            CHECK(SSL_get_negotiated_group(newest.client.tls_handle()) == NID_secp384r1);
            SSL_CTX_set_max_proto_version(client.native_handle(), TLS1_2_VERSION);
            CHECK(cipher(shake_hands(client, server, host).client).ends_with("-AES128-GCM-SHA256"));
        }
        SSL_CTX_set_min_proto_version(settings, TLS1_3_VERSION);
        for (const char* const host : hosts) {
            CAPTURE(host);
            const auto old = all.client();
            SSL_CTX_set_max_proto_version(old.native_handle(), TLS1_2_VERSION);
            CHECK(shake_hands(old, server, host).client_failure);
        }
    });
}

TEST_CASE("tls identities: the callbacks that native_handle sets are called for all of them") {
    in_scheduler([] {
        static int lines_of_keys = 0, handshakes = 0;
        const three_identities all;
        const auto server = all.server();
        ::SSL_CTX_set_keylog_callback(server.native_handle(), [](const SSL*, const char*) { ++lines_of_keys; });
        ::SSL_CTX_set_info_callback(server.native_handle(),
                                    [](const SSL*, int where, int) { handshakes += where == SSL_CB_HANDSHAKE_DONE; });
        for (const char* const host : hosts) {
            CAPTURE(host);
            lines_of_keys = handshakes = 0;
            auto pair = shake_hands(all.client(), server, host);
            CHECK(lines_of_keys > 0);
            CHECK(handshakes == 1);
        }
    });
}

TEST_CASE("tls identities: sessions are resumed with each of them, and keep the requested name and the protocol") {
    in_scheduler([] {
        const three_identities all;
        for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
            CAPTURE(version);
            one_port at;
            const auto client = all.client({.protocols = {"h2"}}), server = all.server({.protocols = {"h2"}});
            SSL_CTX_set_max_proto_version(server.native_handle(), version);
            for (const char* const host : hosts) {
                CAPTURE(host);
                CHECK_FALSE(at.shake_hands(client, server, host).client.is_resumed());
                auto again = at.shake_hands(client, server, host);
                CHECK(again.client.is_resumed());
                CHECK(again.server.is_resumed());
                CHECK(again.server.server_name() == host);
                CHECK(again.server.protocol() == "h2");
            }
        }
    });
}

TEST_CASE("tls identities: a session of one of them does not spare a client the certificate") {
    in_scheduler([] {
        const three_identities all;
        const auto mine = all.issue("client", {});
        for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
            CAPTURE(version);
            one_port at;
            const auto server = all.server(
                {.clients = client_certificates::verified_if_sent, .client_authorities = all.authority_file});
            SSL_CTX_set_max_proto_version(server.native_handle(), version);
            const auto client = all.client({.identity = {mine}});
            for (const char* const host : hosts) {
                CAPTURE(host);
                for (int i = 0; i < 2; ++i) {
                    auto pair = at.shake_hands(client, server, host);
                    CHECK(pair.client.is_resumed() == (i == 1));
                    CHECK(pair.server.peer_subject() == "CN=client");
                }
            }
        }
    });
}

TEST_CASE("tls identities: a session is not resumed under the name of another one") {
    const three_identities all;
    for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
        CAPTURE(version);
        const auto server = all.server();
        SSL_CTX_set_max_proto_version(server.native_handle(), version);
        careless_client client;
        struct attempt {
            const char* host;
            bool is_resumed;
            const char* subject;
        };
        for (const attempt& each : {attempt{"one.test", false, "one"}, attempt{"one.test", true, "one"},
                                    attempt{"two.test", false, "two"}, attempt{"two.test", true, "two"},
                                    attempt{"x.three.test", false, "three"}, attempt{"y.three.test", false, "three"},
                                    attempt{"y.three.test", true, "three"}, attempt{"unknown.test", false, "one"}}) {
            CAPTURE(each.host);
            const auto outcome = client.shake_hands(server, each.host);
            CHECK(outcome.is_resumed == each.is_resumed);
            CHECK(outcome.subject == each.subject);
        }
    }
}
