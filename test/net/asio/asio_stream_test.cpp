#include <coir/coir.hpp>
#include <coir/net/asio.hpp>
#include <coir/net/tls.hpp>

#include "net/tls/tls_pair.hpp"
#include "support/in_scheduler.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::asio_stream;
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

template <class Stream> asio_stream<Stream&> on(Stream& stream) { return asio_stream<Stream&>{stream}; }

}  // namespace

TEST_CASE("asio_stream: supports Asio's composed operations") {
    in_scheduler([] {
        auto ends = connection::make();
        auto near = on(ends.near), far = on(ends.far);
        auto writer = coir::spawn([&] {
            const std::string body(3 << 20, 'x');
            const std::array parts{asio::buffer("head\n", 5), asio::buffer(body)};
            CHECK(asio::write(near, parts) == 5 + body.size());
            ends.near.shutdown();
        });
        std::string text;
        CHECK(asio::read_until(far, asio::dynamic_buffer(text), '\n') == 5);
        error_code ec;
        asio::read(far, asio::dynamic_buffer(text), ec);
        CHECK(ec == asio::error::eof);
        CHECK(text.size() == 5 + (3 << 20));
        writer.get();
    });
}

TEST_CASE("asio_stream: several buffers are read and written in order, empty ones are skipped") {
    in_scheduler([] {
        auto ends = connection::make();
        auto near = on(ends.near), far = on(ends.far);
        const std::vector<asio::const_buffer> parts{asio::buffer("", 0), asio::buffer("ab", 2), asio::buffer("cd", 2)};
        CHECK(near.write_some(parts) == 4);
        std::string first(3, ' '), second(3, ' ');
        const std::vector<asio::mutable_buffer> places{{}, asio::buffer(first), asio::buffer(second)};
        CHECK(far.read_some(places) == 4);
        CHECK(first + second == "abcd  ");
        error_code ec = asio::error::eof;
        CHECK(far.read_some(asio::mutable_buffer{}, ec) == 0);
        CHECK_FALSE(ec);
        CHECK(far.write_some(std::vector<asio::const_buffer>{}, ec) == 0);
        CHECK_FALSE(ec);
    });
}

TEST_CASE("asio_stream: with many short and long buffers, each byte arrives at the right position") {
    in_scheduler([] {
        auto ends = connection::make();
        auto near = on(ends.near), far = on(ends.far);
        for (const std::size_t last : {1, 509, 510, 511, 3000}) {
            const std::string body(last, 'z');
            std::vector<asio::const_buffer> parts(40, asio::buffer("a", 1));
            parts.push_back(asio::buffer(body));
            CHECK(asio::write(near, parts) == 40 + last);
            std::string got(40 + last, ' ');
            asio::read(far, asio::buffer(got));
            CHECK(got == std::string(40, 'a') + body);
            const std::array two{asio::buffer("b", 1), asio::buffer(body)};
            CHECK(near.write_some(two) == 1 + last);
            got.resize(1 + last);
            asio::read(far, asio::buffer(got));
            CHECK(got == "b" + body);
        }
    });
}

TEST_CASE("asio_stream: errors are Boost's, as codes or exceptions") {
    in_scheduler([] {
        auto ends = connection::make();
        auto near = on(ends.near);
        std::array<char, 10> place;
        error_code ec;
        near.expires_at(1ms);
        near.read_some(asio::buffer(place), ec);
        CHECK(ec == asio::error::timed_out);
        CHECK_THROWS_AS(near.read_some(asio::buffer(place)), boost::system::system_error);
        near.expires_at(coir::never);
        ends.far.set_reset_on_close(true);
        ends.far.close();
        near.read_some(asio::buffer(place), ec);
        CHECK(ec == asio::error::connection_reset);
        ends.near.close();
        near.write_some(asio::buffer("x", 1), ec);
        CHECK(ec == asio::error::bad_descriptor);
        CHECK_THROWS_AS(near.write_some(asio::buffer("x", 1)), boost::system::system_error);
    });
}

TEST_CASE("asio_stream: a stop and an expired scope propagate through Asio's operations") {
    in_scheduler([] {
        auto ends = connection::make();
        auto near = on(ends.near);
        std::string text;
        auto reader = coir::spawn([&] { asio::read_until(near, asio::dynamic_buffer(text), '\n'); });
        coir::this_fiber::yield();
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
        CHECK_FALSE(coir::try_with_timeout(1ms, [&] { asio::read_until(near, asio::dynamic_buffer(text), '\n'); }));
    });
}

TEST_CASE("asio_stream: works with TLS, whose errors keep their category and text") {
    in_scheduler([] {
        const world all;
        auto pair = shake_hands(all.client(), all.server());
        REQUIRE_FALSE(pair.client_failure);
        asio_stream client{std::move(pair.client)};
        auto server = on(pair.server);
        asio::write(server, asio::buffer("secret\n", 7));
        std::string text;
        asio::read_until(client, asio::dynamic_buffer(text), '\n');
        CHECK(text == "secret\n");
        client.next_layer().tcp().close();
        error_code ec;
        std::array<char, 10> place;
        server.read_some(asio::buffer(place), ec);
        CHECK(std::string{ec.category().name()} == "tls");
        CHECK(ec.message() == "unexpected eof while reading");
        error_code again;
        server.read_some(asio::buffer(place), again);
        CHECK(again == ec);
    });
}
