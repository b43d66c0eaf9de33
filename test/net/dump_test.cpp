#include <coir/dump.hpp>
#include <coir/fiber.hpp>
#include <coir/net/tcp.hpp>
#include <coir/net/unix.hpp>
#include <coir/stats.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "support/escape.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>

using coir::test::contains;
using coir::test::in_scheduler;

namespace {

std::string dump_of_all() {
    std::ostringstream out;
    coir::dump_fibers(out);
    return out.str();
}

void wait_for_input_of(coir::net::tcp_stream from) {
    std::array<std::byte, 1> one;
    static_cast<void>(from.read_some(one));
}

void wait_for_input(coir::net::tcp_stream& from) {
    std::array<std::byte, 1> one;
    static_cast<void>(from.read_some(one));
}

}  // namespace

TEST_CASE("dump: names the peer of a socket that a fiber waits for, and the address of a listener") {
    in_scheduler([] {
        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        auto client = coir::net::tcp_stream::connect(listener.local_endpoint());
        auto server = listener.accept();
        auto reads = coir::spawn([&] { wait_for_input(server); });
        auto accepts = coir::spawn([&] { static_cast<void>(listener.accept()); });
        while (coir::stats().fibers_parked < 2) coir::this_fiber::yield();
        const std::string text = dump_of_all();
        INFO(text);
        CHECK(contains(text, "(tcp " + client.local_endpoint().to_string() + ")"));
        CHECK(contains(text, "(listening on tcp " + listener.local_endpoint().to_string() + ")"));
        reads.request_stop();
        accepts.request_stop();
    });
}

TEST_CASE("dump: the fiber of a connection was spawned where the program calls serve") {
    in_scheduler([] {
        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        auto server = coir::spawn([&] {
            listener.serve(wait_for_input_of);
            coir::test::escape(&listener);  // prevents a tail call
        });
        auto client = coir::net::tcp_stream::connect(listener.local_endpoint());
        const std::string name = client.local_endpoint().to_string();
        std::string text;
        while (!contains(text, '"' + name + "\": parked")) {
            coir::this_fiber::yield();
            text = dump_of_all();
        }
        INFO(text);
        CHECK_FALSE(contains(text, "serve.hpp"));
        const std::string line = text.substr(text.find('"' + name + "\": parked"));
        if (coir::detail::has_source_lines()) CHECK(contains(line, "dump_test.cpp:"));
        server.request_stop();
    });
}

TEST_CASE("dump: names the path of a Unix socket") {
    in_scheduler([] {
        const coir::test::temporary_folder folder;
        const std::string path = folder.file("socket");
        auto listener = coir::net::unix_listener::bind(path);
        auto accepts = coir::spawn([&] { static_cast<void>(listener.accept()); });
        while (coir::stats().fibers_parked < 1) coir::this_fiber::yield();
        CHECK(contains(dump_of_all(), "(listening on unix " + path + ")"));
        accepts.request_stop();
    });
}
