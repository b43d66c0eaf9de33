#include <coir/coir.hpp>

#include "net/happy_eyeballs.hpp"
#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::clock_mode;
using coir::detail::interleaved;
using coir::detail::race;
using coir::net::endpoint;
using coir::net::tcp_stream;
using coir::test::in_scheduler;

namespace {

using endpoints = std::vector<endpoint>;

endpoint v4(std::uint16_t port) { return {"127.0.0.1", port}; }
endpoint v6(std::uint16_t port) { return {"::1", port}; }

std::chrono::nanoseconds since(coir::clock::time_point began) { return coir::clock::now() - began; }

/// A listener whose backlog is full: connecting to it waits for a long time.
struct full_listener {
    full_listener() {
        std::error_code ec;
        while (!ec) waiting.push_back(tcp_stream::connect(listener.local_endpoint(), 20ms, ec));
        REQUIRE(ec == std::errc::timed_out);
    }
    coir::net::tcp_listener listener = coir::net::tcp_listener::bind({"127.0.0.1", 0}, {.backlog = 0});
    std::vector<tcp_stream> waiting;
};

}  // namespace

TEST_CASE("happy eyeballs: address families alternate, starting with that of the first address") {
    CHECK(interleaved(endpoints{v6(1), v6(2), v4(3), v4(4)}) == endpoints{v6(1), v4(3), v6(2), v4(4)});
    CHECK(interleaved(endpoints{v4(1), v4(2), v4(3), v6(4)}) == endpoints{v4(1), v6(4), v4(2), v4(3)});
    CHECK(interleaved(endpoints{v4(1)}) == endpoints{v4(1)});
    CHECK(interleaved(endpoints{}).empty());
}

TEST_CASE("happy eyeballs: an attempt starts 250 ms after the previous one, and the first success ends the others") {
    coir::run({.clock = clock_mode::virtual_time}, [] {
        const auto began = coir::clock::now();
        std::vector<std::chrono::nanoseconds> begun;
        int stopped = 0;
        const endpoints all{v4(1), v4(2), v4(3), v4(4)};
        const std::error_code failure = race(all, coir::never, [&](const endpoint& to) -> std::error_code {
            begun.push_back(since(began));
            try {
                coir::this_fiber::sleep_for(to.port() == 2 ? 400ms : 10h);
            } catch (const coir::cancelled&) {
                ++stopped;
                throw;
            }
            return {};
        });
        CHECK_FALSE(failure);
        CHECK(begun == std::vector<std::chrono::nanoseconds>{0ms, 250ms, 500ms});
        CHECK(since(began) == 650ms);
        CHECK(stopped == 2);
    });
}

TEST_CASE("happy eyeballs: a failure starts the next attempt at once, and the race fails with the last error") {
    coir::run({.clock = clock_mode::virtual_time}, [] {
        const auto began = coir::clock::now();
        const endpoints all{v4(1), v4(2)};
        const std::error_code failure = race(all, coir::never, [&](const endpoint& to) {
            coir::this_fiber::sleep_for(10ms);
            return std::make_error_code(to.port() == 1 ? std::errc::connection_refused
                                                       : std::errc::network_unreachable);
        });
        CHECK(failure == std::errc::network_unreachable);
        CHECK(since(began) == 20ms);
    });
}

TEST_CASE("happy eyeballs: without candidates the error is address_not_available") {
    in_scheduler([] {
        CHECK(race({}, coir::never, [](const endpoint&) { return std::error_code{}; }) ==
              std::errc::address_not_available);
    });
}

TEST_CASE("happy eyeballs: a stop of the calling fiber ends all attempts") {
    coir::run({.clock = clock_mode::virtual_time}, [] {
        int stopped = 0;
        auto racer = coir::spawn([&] {
            const endpoints all{v4(1), v4(2)};
            race(all, coir::never, [&](const endpoint&) -> std::error_code {
                try {
                    coir::this_fiber::sleep_for(10h);
                } catch (const coir::cancelled&) {
                    ++stopped;
                    throw;
                }
                return {};
            });
        });
        coir::this_fiber::sleep_for(300ms);
        racer.request_stop();
        CHECK_THROWS_AS(racer.get(), coir::fiber_stopped);
        CHECK(stopped == 2);
    });
}

TEST_CASE("happy eyeballs: an exception of an attempt is thrown") {
    in_scheduler([] {
        const endpoints one{v4(1)};
        CHECK_THROWS_AS(race(one, coir::never, [](const endpoint&) -> std::error_code { throw std::bad_alloc{}; }),
                        std::bad_alloc);
    });
}

TEST_CASE("tcp_stream: connecting to several addresses skips one that does not answer") {
    coir::run({.clock = clock_mode::virtual_time_past_io}, [] {
        const full_listener silent;
        auto listener = coir::test::listen_on_loopback();
        const endpoints both{silent.listener.local_endpoint(), listener.local_endpoint()};
        std::error_code ec;
        auto stream = tcp_stream::connect(both, coir::never, ec);
        CHECK_FALSE(ec);
        CHECK(stream.remote_endpoint() == listener.local_endpoint());
        auto peer = listener.accept();
        stream.write_all("here");
        CHECK(coir::test::read_text(peer) == "here");
    });
}

TEST_CASE("tcp_stream: connecting to several addresses fails at its deadline, or with the last error") {
    in_scheduler([] {
        const full_listener silent;
        std::error_code ec;
        const endpoints mute{silent.listener.local_endpoint(), silent.listener.local_endpoint()};
        CHECK_FALSE(tcp_stream::connect(mute, 10ms, ec).is_open());
        CHECK(ec == std::errc::timed_out);
        const endpoints nobody{coir::test::deserted(), coir::test::deserted()};
        CHECK_FALSE(tcp_stream::connect(nobody, coir::never, ec).is_open());
        CHECK(ec == std::errc::connection_refused);
    });
}
