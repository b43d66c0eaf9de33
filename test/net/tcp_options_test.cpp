#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <netinet/tcp.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

TEST_CASE("tcp_stream: sets the options of the socket") {
    in_scheduler([] {
        auto ends = connection::make();
        tcp_stream& stream = ends.near;
        CHECK(stream.no_delay());
        stream.set_no_delay(false);
        CHECK_FALSE(stream.no_delay());

        CHECK_FALSE(stream.keep_alive_settings());
        stream.set_keep_alive(coir::net::keep_alive{.idle = 20s, .interval = 3s, .probes = 4});
        const auto kept = stream.keep_alive_settings();
        REQUIRE(kept);
        CHECK(kept->idle == 20s);
        CHECK(kept->interval == 3s);
        CHECK(kept->probes == 4);
        stream.set_keep_alive(std::nullopt);
        CHECK_FALSE(stream.keep_alive_settings());

        CHECK(stream.user_timeout() == 0ms);
        stream.set_user_timeout(7s);
        CHECK(stream.user_timeout() == 7s);
        stream.set_user_timeout(-1s);
        CHECK(stream.user_timeout() == 0ms);

        stream.set_send_buffer(20'000);
        CHECK(stream.send_buffer() == 20'000);
        stream.set_receive_buffer(30'000);
        CHECK(stream.receive_buffer() == 30'000);
    });
}

TEST_CASE("tcp_stream: durations too long for the system are refused or limited, and not cut off") {
    in_scheduler([] {
        auto stream = std::move(connection::make().near);
        constexpr auto wraps = std::chrono::seconds{(std::int64_t{1} << 32) + 5};
        for (const auto length : {wraps, std::chrono::seconds::max(), std::chrono::seconds::min()}) {
            CHECK_THROWS_AS(stream.set_keep_alive(coir::net::keep_alive{.idle = length}), std::system_error);
            CHECK_THROWS_AS(stream.set_keep_alive(coir::net::keep_alive{.interval = length}), std::system_error);
        }
        stream.set_user_timeout(std::chrono::milliseconds::max());
        CHECK(stream.user_timeout() > 24h * 24);
    });
}

TEST_CASE("tcp_stream: with the cork set, a partial segment waits for more data") {
    in_scheduler([] {
        auto ends = connection::make();
        ends.near.set_cork(true);
        ends.near.write_all("head ");
        ends.near.write_all("body");
        ends.near.set_cork(false);
        CHECK(read_text(ends.far) == "head body");
    });
}

TEST_CASE("tcp_stream: close with a reset discards unread data, and the peer gets an error") {
    in_scheduler([] {
        auto ends = connection::make();
        ends.near.set_reset_on_close(true);
        ends.near.write_all("lost");
        ends.near.close();
        CHECK(error_of([&] {
                  while (!read_text(ends.far).empty()) {
                  }
              }) == std::errc::connection_reset);
    });
}

TEST_CASE("tcp_stream: options of a closed stream throw an error that names the call") {
    tcp_stream closed;
    CHECK_THROWS_WITH_AS(closed.set_no_delay(true), doctest::Contains("tcp_stream::set_no_delay"), std::system_error);
    CHECK_THROWS_WITH_AS(closed.set_keep_alive(std::nullopt), doctest::Contains("set_keep_alive"), std::system_error);
    CHECK_THROWS_WITH_AS(static_cast<void>(closed.user_timeout()), doctest::Contains("user_timeout"),
                         std::system_error);
    CHECK_THROWS_WITH_AS(closed.set_send_buffer(1), doctest::Contains("stream::set_send_buffer"), std::system_error);
}

TEST_CASE("tcp_listener: on [::] it also accepts IPv4, unless v6_only is set") {
    in_scheduler([] {
        auto both = tcp_listener::bind({"::", 0});
        CHECK(tcp_stream::connect({"127.0.0.1", both.local_endpoint().port()}).is_open());
        auto only = tcp_listener::bind({"::", 0}, {.v6_only = true});
        const std::uint16_t port = only.local_endpoint().port();
        CHECK(error_of([&] { tcp_stream::connect({"127.0.0.1", port}); }) == std::errc::connection_refused);
        CHECK(tcp_stream::connect({"::1", port}).is_open());
    });
}
