#pragma once

#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "net/loopback.hpp"
#include "net/tls/certificates.hpp"

#include <string>
#include <utility>

namespace coir::test {

/// The two ends of a connection after their handshake; after a failure, the error of each end instead.
struct tls_pair {
    net::tls_stream client, server;
    std::error_code client_failure, server_failure;
    std::string what;  // the client's error message
};

inline tls_pair shake_hands(const net::tls_context& client, const net::tls_context& server,
                            const std::string& host = "server.test", connection ends = connection::make()) {
    tls_pair made;
    auto accepting = coir::spawn([&] {
        made.server =
            net::tls_stream::accept(server, std::move(ends.far), std::chrono::seconds{10}, made.server_failure);
    });
    try {
        made.client = net::tls_stream::connect(client, std::move(ends.near), host, std::chrono::seconds{10});
    } catch (const std::system_error& failure) {
        made.client_failure = failure.code();
        made.what = failure.what();
    }
    accepting.get();
    return made;
}

}  // namespace coir::test
