#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/captured_log.hpp"
#include "support/in_scheduler.hpp"

#include <boost/context/fixedsize_stack.hpp>
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;

namespace {

/// Has no stack for a fiber while `refusing` is set.
struct limited_stacks {
    boost::context::stack_context allocate() {
        if (*refusing) throw std::system_error{ENOMEM, std::generic_category(), "no stack"};
        return stacks.allocate();
    }
    void deallocate(boost::context::stack_context& unused) noexcept { stacks.deallocate(unused); }

    std::shared_ptr<bool> refusing = std::make_shared<bool>(false);
    boost::context::fixedsize_stack stacks{256 << 10};
};

bool answers(tcp_stream& client) {
    client.write_all("a");
    std::array<std::byte, 1> answer;
    return client.read_exactly(answer, 10s) == 1;
}

/// Whether the other end has closed the connection.
bool is_closed(tcp_stream& client) {
    std::array<std::byte, 1> room;
    std::error_code ec;
    return client.read_some(room, 10s, ec) == 0 && ec != std::errc::timed_out;
}

}  // namespace

TEST_CASE("serve: a connection whose fiber gets no stack is closed, and the others and later ones are served") {
    const captured_log log;
    const limited_stacks stacks;
    coir::run_options options;
    options.stack_allocator = stacks;
    in_scheduler(options, [&] {
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] {
            listener.serve(coir::limit{3}, [](tcp_stream peer) {
                std::array<std::byte, 1> byte;
                while (peer.read_some(byte) != 0) peer.write_all(byte);
            });
        });
        auto before = tcp_stream::connect(listener.local_endpoint());
        REQUIRE(answers(before));
        *stacks.refusing = true;
        for (int i = 0; i < 4; ++i) {
            auto refused = tcp_stream::connect(listener.local_endpoint());
            CHECK(is_closed(refused));
        }
        CHECK(answers(before));
        *stacks.refusing = false;
        auto later = tcp_stream::connect(listener.local_endpoint());
        CHECK(answers(later));
        CHECK(answers(before));
        listener.drain();
        before.close();
        later.close();
        server.get();
    });
    CHECK(log.count("tcp_listener::serve: cannot begin a fiber for a connection, which is closed: no stack") == 1);
    CHECK(log.count("[warning]") == 1);
    CHECK(log.count("[error]") == 0);
}
