// TLS: a client and a server of this process.
#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "faults/programs/declared.hpp"
#include "net/tls/certificates.hpp"
#include "support/text.hpp"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <sys/types.h>
#include <unistd.h>

namespace coir::faults {

namespace {

test::world* world = nullptr;
pid_t maker = 0;

}  // namespace

/// A handshake here initialises OpenSSL, so that a run does not repeat its thousands of allocations.
void make_certificates() {
    world = new test::world;
    maker = ::getpid();
    static_cast<void>(world->server());
    static_cast<void>(world->client());
    std::atexit([] {
        if (::getpid() == maker) delete world;
    });
}

std::string tls(const std::string&) {
    return run([] {
        const auto server = net::tls_context::server({.identities = {world->identity}, .protocols = {"echo"}});
        const auto client = net::tls_context::client({.authorities = world->authority_file, .protocols = {"echo"}});
        auto listener = net::tcp_listener::bind({"127.0.0.1", 0});
        std::string seen;
        task_group group;
        group.spawn([&] {
            auto peer = net::tls_stream::accept(server, listener.accept());
            std::array<std::byte, 16> buffer;
            while (const std::size_t n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
            peer.shutdown();
        });
        group.spawn([&] {
            auto stream =
                net::tls_stream::connect(client, net::tcp_stream::connect(listener.local_endpoint()), "server.test");
            stream.write_all("a text that takes more than one record");
            stream.shutdown();
            std::array<std::byte, 100> text;
            seen = test::as_text(std::span{text}.first(stream.read_exactly(text))) + ", " + stream.protocol() + ", " +
                   stream.version();
        });
        group.wait();
        return seen;
    });
}

}  // namespace coir::faults
