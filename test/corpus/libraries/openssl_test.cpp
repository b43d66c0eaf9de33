#include "corpus/judge.hpp"
#include "corpus/props.hpp"

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>

namespace coir::test {

namespace {

using bio = std::unique_ptr<BIO, void (*)(BIO*)>;

bio connected_to(const listener& server) {
    bio made{::BIO_new_connect(("127.0.0.1:" + std::to_string(server.port())).c_str()), ::BIO_free_all};
    REQUIRE(BIO_do_connect(made.get()) == 1);
    return made;
}

}  // namespace

TEST_CASE("corpus: waits in OpenSSL are reported") {
    judge({
        blocked("BIO_read", blocking_class::network, {"read", "recv", "recvfrom"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    auto& ours = on.keep<bio>(connected_to(server));
                    on.later([&] { answer(server, "x", connection); });
                    return [&] {
                        std::array<char, 16> bytes;
                        ::BIO_read(ours.get(), bytes.data(), bytes.size());
                    };
                }),
        blocked("a handshake with a peer that gives up", blocking_class::network, {"read", "recv", "recvfrom"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    auto& ours = on.keep<bio>(connected_to(server));
                    auto& context = on.keep<std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>>(
                        ::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free);
                    auto& session = on.keep<std::unique_ptr<SSL, void (*)(SSL*)>>(::SSL_new(context.get()), ::SSL_free);
                    ::SSL_set_fd(session.get(), static_cast<int>(BIO_get_fd(ours.get(), nullptr)));
                    on.later([&] { answer(server, "", connection); });
                    return [&] { ::SSL_connect(session.get()); };
                }),
    });
}

}  // namespace coir::test
