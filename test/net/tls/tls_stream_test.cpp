#include <coir/coir.hpp>
#include <coir/net/tls.hpp>

#include "net/tls/tls_pair.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <string>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tls_category;
using coir::net::tls_stream;

namespace {

/// The two ends of an established connection.
tls_pair connected() {
    const world all;
    tls_pair made = shake_hands(all.client(), all.server());
    REQUIRE_FALSE(made.client_failure);
    REQUIRE_FALSE(made.server_failure);
    // After the session tickets; a client that closed before them would answer with a reset.
    made.server.write_all("x");
    REQUIRE(read_text(made.client) == "x");
    return made;
}

std::string text(std::size_t bytes) {
    std::string made;
    for (int i = 0; made.size() < bytes; ++i) made += std::to_string(i) + " ";
    made.resize(bytes);
    return made;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

std::string message_of(tls_stream& from) {
    std::array<std::byte, 1> place;
    std::error_code ec;
    from.read_some(place, coir::never, ec);
    return ec.message();
}

}  // namespace

TEST_CASE("tls_stream: what one end writes the other end reads, in both directions") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.write_all("question");
        CHECK(read_text(pair.server) == "question");
        pair.server.write_all("answer");
        CHECK(read_text(pair.client) == "answer");
    });
}

TEST_CASE("tls_stream: the bytes on the wire are encrypted") {
    in_scheduler([] {
        const world all;
        auto in = connection::make();
        auto out = connection::make();
        std::string seen;
        coir::task_group wire;
        const auto carry = [&](coir::net::tcp_stream& from, coir::net::tcp_stream& to) {
            for (std::string more; !(more = read_text(from)).empty();) {
                seen += more;
                to.write_all(more);
            }
        };
        wire.spawn([&] { carry(in.far, out.near); });
        wire.spawn([&] { carry(out.near, in.far); });
        auto server = coir::spawn([&] { return tls_stream::accept(all.server(), std::move(out.far), 10s); });
        auto client = tls_stream::connect(all.client(), std::move(in.near), "server.test", 10s);
        auto accepted = server.get();
        client.write_all("a secret of some length");
        CHECK(read_text(accepted) == "a secret of some length");
        CHECK(seen.find("secret") == std::string::npos);
        wire.request_stop();
    });
}

TEST_CASE("tls_stream: megabytes in both directions at the same time, with one fiber per direction") {
    in_scheduler([] {
        auto pair = connected();
        const std::string there = text(5 << 20), back = text(6 << 20);
        coir::task_group fibers;
        const auto write = [](tls_stream& to, const std::string& what) {
            to.write_all(what);
            to.shutdown();
        };
        fibers.spawn([&] { write(pair.client, there); });
        fibers.spawn([&] { write(pair.server, back); });
        fibers.spawn([&] { CHECK(read_all(pair.client) == back); });
        fibers.spawn([&] { CHECK(read_all(pair.server) == there); });
        fibers.wait();
    });
}

TEST_CASE("tls_stream: several buffers are sent as one record") {
    in_scheduler([] {
        auto pair = connected();
        const std::string head = "head ", body = "body";
        const std::array parts{bytes_of(head), bytes_of({}), bytes_of(body)};
        CHECK(pair.client.write_some(parts) == 9);
        CHECK(read_text(pair.server) == "head body");
        const std::string much = text(100'000);
        const std::array large{bytes_of(head), bytes_of(much), bytes_of(body)};
        auto writer = coir::spawn([&] {
            pair.client.write_all(large);
            pair.client.shutdown();
        });
        CHECK(read_all(pair.server) == head + much + body);
        writer.get();
        CHECK(pair.server.write_some(bytes_of({})) == 0);
    });
}

TEST_CASE("tls_stream: a read waits, times out, and is cancelled, and nothing is lost") {
    in_scheduler([] {
        auto pair = connected();
        CHECK_THROWS_AS(read_text(pair.server, 1ms), coir::timed_out);
        auto stopped = coir::spawn([&] { read_text(pair.server); });
        coir::this_fiber::yield();
        CHECK(error_of([&] { read_text(pair.server); }) == std::errc::operation_in_progress);
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        auto reader = coir::spawn([&] { return read_text(pair.server); });
        coir::this_fiber::yield();
        pair.client.write_all("still there");
        CHECK(reader.get() == "still there");
    });
}

TEST_CASE("tls_stream: an interrupted write counts the bytes that were encrypted, and the next write continues") {
    in_scheduler([] {
        auto pair = connected();
        const std::string much = text(20 << 20);
        std::error_code ec;
        const std::size_t taken = pair.client.write_all(bytes_of(much), 20ms, ec);
        CHECK(ec == std::errc::timed_out);
        CHECK(taken > 0);
        CHECK(taken < much.size());
        std::string seen;
        auto reader = coir::spawn([&] { seen = read_all(pair.server); });
        pair.client.write_all("end");
        pair.client.shutdown();
        reader.get();
        CHECK(seen == much.substr(0, taken) + "end");
    });
}

TEST_CASE("tls_stream: a key update requested by the peer during a waiting write disturbs neither direction") {
    in_scheduler([] {
        auto pair = connected();
        const std::string much = text(10 << 20);
        auto writer = coir::spawn([&] {
            pair.client.write_all(much);
            pair.client.shutdown();
        });
        coir::this_fiber::sleep_for(5ms);
        CHECK_FALSE(writer.done());
        for (int i = 0; i < 20; ++i) {
            REQUIRE(::SSL_key_update(pair.server.tls_handle(), SSL_KEY_UPDATE_REQUESTED) == 1);
            pair.server.write_all("news");
            CHECK(read_text(pair.client) == "news");
        }
        CHECK(read_all(pair.server) == much);
        writer.get();
    });
}

// ---- closing ------------------------------------------------------------------------------------------------------

TEST_CASE("tls_stream: after shutdown the peer reads the end, every time, and can still answer") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.write_all("last words");
        pair.client.shutdown();
        pair.client.shutdown();
        CHECK(read_text(pair.server) == "last words");
        CHECK(read_text(pair.server).empty());
        CHECK(read_text(pair.server).empty());
        pair.server.write_all("answer");
        CHECK(read_text(pair.client) == "answer");
        CHECK(error_of([&] { pair.client.write_all("more"); }) != std::errc{});
    });
}

TEST_CASE("tls_stream: close and the destructor send close_notify, but not during stack unwinding") {
    in_scheduler([] {
        {
            auto pair = connected();
            pair.client.close();
            CHECK(read_text(pair.server).empty());
            CHECK_FALSE(pair.client.is_open());
        }
        {
            auto pair = connected();
            { const tls_stream ending = std::move(pair.client); }
            CHECK(read_text(pair.server).empty());
        }
        {
            auto pair = connected();
            try {
                const tls_stream ending = std::move(pair.client);
                throw std::runtime_error{"half of it is missing"};
            } catch (const std::runtime_error&) {
            }
            CHECK(message_of(pair.server) == "unexpected eof while reading");
        }
        {
            auto pair = connected();
            auto stopped = coir::spawn([&] {
                tls_stream own = std::move(pair.client);
                own.write_all("half");
                read_text(own);
            });
            coir::this_fiber::yield();
            stopped.request_stop();
            stopped.join();
            CHECK(read_text(pair.server) == "half");
            CHECK(message_of(pair.server) == "unexpected eof while reading");
        }
    });
}

TEST_CASE("tls_stream: a truncated connection is an error and not the end of the stream, every time") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.write_all("half");
        pair.client.tcp().close();
        CHECK(read_text(pair.server) == "half");
        for (int i = 0; i < 3; ++i) {
            std::array<std::byte, 1> place;
            std::error_code ec;
            CHECK(pair.server.read_some(place, coir::never, ec) == 0);
            CHECK(ec.category() == tls_category());
            CHECK_THROWS_WITH_AS(read_text(pair.server), doctest::Contains("tls_stream::read_some"), std::system_error);
        }
    });
}

TEST_CASE("tls_stream: a reset by the peer is an error of reads and writes") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.tcp().set_reset_on_close(true);
        pair.client.tcp().close();
        std::array<std::byte, 1> place;
        std::error_code ec;
        CHECK(pair.server.read_some(place, 5s, ec) == 0);
        CHECK(ec == std::errc::connection_reset);
    });
}

TEST_CASE("tls_stream: after the peer's shutdown, a write that fails is an error, and not the end of the stream") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.shutdown();
        CHECK(read_text(pair.server).empty());
        pair.client.tcp().set_reset_on_close(true);
        pair.client.tcp().close();
        std::error_code ec;
        pair.server.write_some(std::as_bytes(std::span{"answer"}), 5s, ec);
        CHECK((ec == std::errc::connection_reset || ec == std::errc::broken_pipe));
    });
}

TEST_CASE("tls_stream: modified bytes end the connection with an error") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.tcp().write_all(std::string{"\x17\x03\x03\x00\x20", 5} + std::string(32, 'x'));
        std::array<std::byte, 1> place;
        std::error_code ec;
        CHECK(pair.server.read_some(place, 5s, ec) == 0);
        CHECK(ec.category() == tls_category());
        CHECK(ec.message().find("bad record mac") != std::string::npos);
    });
}

TEST_CASE("tls_stream: close ends a waiting read") {
    in_scheduler([] {
        auto pair = connected();
        auto reader = coir::spawn([&] { return error_of([&] { read_text(pair.server); }); });
        coir::this_fiber::yield();
        pair.server.close();
        CHECK(reader.get() == std::errc::operation_canceled);
        CHECK(error_of([&] { read_text(pair.server); }) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("tls_stream: an unconnected stream reports it, and its calls need a fiber") {
    tls_stream closed;
    CHECK_FALSE(closed.is_open());
    CHECK(closed.native_handle() == -1);
    CHECK(closed.protocol().empty());
    CHECK(error_of([&] { static_cast<void>(closed.tcp()); }) == std::errc::bad_file_descriptor);
    in_scheduler([&] {
        CHECK(error_of([&] { closed.write_all("x"); }) == std::errc::bad_file_descriptor);
        CHECK(error_of([&] { closed.shutdown(); }) == std::errc::bad_file_descriptor);
        auto pair = connected();
        closed = std::move(pair.client);
    });
    CHECK_THROWS_AS(closed.write_all("x"), coir::not_in_fiber);
}

TEST_CASE("tls_stream: works with a buffered_reader, like any stream") {
    in_scheduler([] {
        auto pair = connected();
        pair.client.write_all("one\ntwo\n");
        coir::io::buffered_reader lines{pair.server};
        CHECK(lines.read_line() == "one");
        CHECK(lines.read_line() == "two");
    });
}

TEST_CASE("tls_stream: a forked process that closes its copy sends nothing to the peer") {
    coir::run({.blocking = {.policy = coir::blocking_policy::off}}, [] {
        auto pair = connected();
        const ending child = in_child([&] { pair.client.close(); });
        INFO(child.output);
        CHECK_FALSE(child.died());
        pair.client.write_all("still here");
        CHECK(read_text(pair.server) == "still here");
    });
}
