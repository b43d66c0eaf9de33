// Measures the stack depth of a fiber that completes a TLS handshake and exchanges a few bytes:
//
//     bench_tls_stack client|server ecdsa|rsa
//
// The first argument selects the measured side, the second one the type of the server's key. The stack of the fiber is
// filled with a pattern before; bytes that still have the pattern afterwards were not touched.

#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "contender.hpp"
#include "net/tls/certificates.hpp"

#include <boost/context/stack_context.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace {

using coir::net::tls_context;
using coir::net::tls_stream;

constexpr std::size_t stack_bytes = 256 << 10;

/// A stack for one fiber at a time; a StackAllocator refers to it.
class painted_stack {
public:
    struct allocator {
        boost::context::stack_context allocate() { return painted->allocate(); }
        void deallocate(boost::context::stack_context&) noexcept {}
        painted_stack* painted;
    };

    /// The number of bytes from the top to the deepest touched byte, since the stack was last allocated to a fiber.
    std::size_t depth() const {
        const auto deepest = std::ranges::find_if(memory_, [](std::byte each) { return each != paint; });
        return static_cast<std::size_t>(memory_.end() - deepest);
    }

private:
    static constexpr std::byte paint{0xa5};

    boost::context::stack_context allocate() {
        std::ranges::fill(memory_, paint);
        boost::context::stack_context made;
        made.size = memory_.size();
        made.sp = memory_.data() + memory_.size();
        return made;
    }

    // Aligned like coir's own stacks: libcrypto aligns some frames to up to 2 KiB, so the depth depends on the address
    // of the top.
    alignas(4096) std::array<std::byte, stack_bytes> memory_{};
};

void converse(tls_stream stream) {
    std::array<std::byte, 64> buffer{};
    stream.write_all(buffer);
    if (stream.read_exactly(buffer) != buffer.size()) throw std::runtime_error{"no answer"};
}

void be_client(const tls_context& context, coir::net::endpoint server) {
    converse(tls_stream::connect(context, coir::net::tcp_stream::connect(server), "server.test"));
}

void be_server(const tls_context& context, coir::net::tcp_listener& listener) {
    converse(tls_stream::accept(context, listener.accept()));
}

enum class side { client, server };

/// The stack depth of one side. Only that side has the pattern-filled stack; the other runs in the scheduler's first
/// fiber.
std::size_t depth_of(side measured, const tls_context& client, const tls_context& server) {
    painted_stack stack;
    coir::run_options options;
    options.stack_allocator = painted_stack::allocator{&stack};
    coir::run(options, [&] {
        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        const auto at = listener.local_endpoint();
        const auto as_client = [&] { be_client(client, at); };
        const auto as_server = [&] { be_server(server, listener); };
        auto other = measured == side::client ? coir::spawn(as_client) : coir::spawn(as_server);
        measured == side::client ? as_server() : as_client();
        other.get();
    });
    return stack.depth();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view which = argc == 3 ? argv[1] : "", key = argc == 3 ? argv[2] : "";
    if ((which != "client" && which != "server") || (key != "ecdsa" && key != "rsa")) {
        std::fprintf(stderr, "usage: %s client|server ecdsa|rsa\n", argv[0]);
        return EXIT_FAILURE;
    }
    const coir::test::world world;
    const auto kind = key == "rsa" ? coir::test::key_kind::rsa : coir::test::key_kind::ecdsa;
    const auto identity = world.issue("server.test", {.names = {"DNS:server.test"}, .key = kind});
    const auto client = world.client(), server = world.server({.identities = {identity}});
    bench::report("bytes",
                  static_cast<double>(depth_of(which == "client" ? side::client : side::server, client, server)));
}
