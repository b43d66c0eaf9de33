#include <coir/coir.hpp>

#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::net::datagram;
using coir::net::endpoint;
using coir::net::udp_socket;
using coir::test::as_text;
using coir::test::error_of;
using coir::test::in_scheduler;

namespace {

udp_socket on_loopback() { return udp_socket::bind({"127.0.0.1", 0}); }

/// Buffers for `count` datagrams of `bytes` each.
struct places {
    places(std::size_t count, std::size_t bytes) : memory(count * bytes) {
        for (std::size_t i = 0; i < count; ++i) all.push_back({.bytes = std::span{memory}.subspan(i * bytes, bytes)});
    }
    std::vector<std::byte> memory;
    std::vector<datagram> all;
};

}  // namespace

TEST_CASE("udp_socket: a datagram is received whole, with its sender") {
    in_scheduler([] {
        auto near = on_loopback();
        auto far = on_loopback();
        near.send_to("one", far.local_endpoint());
        near.send_to("", far.local_endpoint());
        near.send_to("three", far.local_endpoint());
        std::array<std::byte, 64> buffer;
        for (const char* const text : {"one", "", "three"}) {
            const datagram received = far.receive_from(buffer);
            CHECK(as_text(received.bytes) == text);
            CHECK(received.peer == near.local_endpoint());
            CHECK_FALSE(received.truncated);
        }
    });
}

TEST_CASE("udp_socket: a datagram larger than the buffer is truncated, and this is reported") {
    in_scheduler([] {
        auto near = on_loopback();
        auto far = on_loopback();
        near.send_to("too long", far.local_endpoint());
        near.send_to("next", far.local_endpoint());
        std::array<std::byte, 4> buffer;
        const datagram cut = far.receive_from(buffer);
        CHECK(as_text(cut.bytes) == "too ");
        CHECK(cut.truncated);
        CHECK(as_text(far.receive_from(buffer).bytes) == "next");
    });
}

TEST_CASE("udp_socket: a receive waits, and meanwhile other fibers run") {
    in_scheduler([] {
        auto near = on_loopback();
        auto far = on_loopback();
        auto reader = coir::spawn([&] {
            std::array<std::byte, 64> buffer;
            return as_text(far.receive_from(buffer).bytes);
        });
        coir::this_fiber::yield();
        CHECK_FALSE(reader.done());
        near.send_to("here", far.local_endpoint());
        CHECK(reader.get() == "here");
    });
}

TEST_CASE("udp_socket: when connected, it receives only from its peer") {
    in_scheduler([] {
        auto server = on_loopback();
        auto stranger = on_loopback();
        auto client = udp_socket::connect(server.local_endpoint());
        CHECK(client.remote_endpoint() == server.local_endpoint());
        stranger.send_to("strange", client.local_endpoint());
        client.send("ping");
        std::array<std::byte, 64> buffer;
        const datagram asked = server.receive_from(buffer);
        CHECK(as_text(asked.bytes) == "ping");
        server.send_to("pong", asked.peer);
        const std::size_t n = client.receive(buffer);
        CHECK(as_text(std::span{buffer}.first(n)) == "pong");
    });
}

TEST_CASE("udp_socket: when connected to an unused port, a later call gets connection_refused") {
    in_scheduler([] {
        const endpoint nobody = on_loopback().local_endpoint();
        auto client = udp_socket::connect(nobody);
        client.send("anyone?");
        std::array<std::byte, 8> buffer;
        CHECK(error_of([&] { static_cast<void>(client.receive(buffer)); }) == std::errc::connection_refused);
    });
}

TEST_CASE("udp_socket: a receive ends at its deadline, with a stop, and with close") {
    in_scheduler([] {
        auto socket = on_loopback();
        std::array<std::byte, 8> buffer;
        CHECK_THROWS_AS(static_cast<void>(socket.receive_from(buffer, 1ms)), coir::timed_out);
        std::error_code ec;
        static_cast<void>(socket.receive_from(buffer, 1ms, ec));
        CHECK(ec == std::errc::timed_out);
        auto stopped = coir::spawn([&] { static_cast<void>(socket.receive_from(buffer)); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        auto closed = coir::spawn([&] { return error_of([&] { static_cast<void>(socket.receive_from(buffer)); }); });
        coir::this_fiber::yield();
        socket.close();
        CHECK(closed.get() == std::errc::operation_canceled);
        CHECK(error_of([&] { socket.send_to("x", {"127.0.0.1", 9}); }) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("udp_socket: two fibers in one direction are refused, one in each direction are not") {
    in_scheduler([] {
        auto socket = on_loopback();
        std::array<std::byte, 8> buffer;
        auto reader = coir::spawn([&] { static_cast<void>(socket.receive_from(buffer)); });
        coir::this_fiber::yield();
        CHECK(error_of([&] { static_cast<void>(socket.receive_from(buffer)); }) == std::errc::operation_in_progress);
        socket.send_to("self", socket.local_endpoint());
        reader.get();
    });
}

TEST_CASE("udp_socket: a datagram that is too large and an address in use are refused, and the error names it") {
    in_scheduler([] {
        auto socket = on_loopback();
        const std::vector<std::byte> large(70'000);
        CHECK(error_of([&] { socket.send_to(large, socket.local_endpoint()); }) == std::errc::message_size);
        const std::string at = socket.local_endpoint().to_string();
        CHECK_THROWS_WITH_AS(udp_socket::bind(socket.local_endpoint()), doctest::Contains(at.c_str()),
                             std::system_error);
        CHECK(error_of([&] { udp_socket::bind(socket.local_endpoint()); }) == std::errc::address_in_use);
        CHECK(error_of([] { udp_socket::bind(endpoint::local("x")); }) == std::errc::address_family_not_supported);
        CHECK(error_of([&] { static_cast<void>(socket.remote_endpoint()); }) == std::errc::not_connected);
    });
}

TEST_CASE("udp_socket: a port can be shared on request") {
    in_scheduler([] {
        auto first = udp_socket::bind({"127.0.0.1", 0}, {.reuse_port = true});
        auto second = udp_socket::bind(first.local_endpoint(), {.reuse_port = true});
        CHECK(second.local_endpoint() == first.local_endpoint());
    });
}

TEST_CASE("udp_socket: a batch receives the available datagrams in order, and does not wait for more") {
    in_scheduler([] {
        auto near = on_loopback();
        auto far = on_loopback();
        for (const char* const text : {"one", "two", "three"}) near.send_to(text, far.local_endpoint());
        places received{8, 4};
        CHECK(far.receive_batch(received.all) == 3);
        CHECK(as_text(received.all[0].bytes) == "one");
        CHECK(as_text(received.all[1].bytes) == "two");
        CHECK(as_text(received.all[2].bytes) == "thre");
        CHECK(received.all[2].truncated);
        CHECK(received.all[1].peer == near.local_endpoint());
        places none{1, 4};
        CHECK_THROWS_AS(static_cast<void>(far.receive_batch(none.all, 1ms)), coir::timed_out);
    });
}

TEST_CASE("udp_socket: a batch of any size is sent to all its peers") {
    in_scheduler([] {
        auto near = on_loopback();
        auto first = on_loopback();
        auto second = on_loopback();
        places sent{150, 1};
        for (std::size_t i = 0; i < sent.all.size(); ++i) {
            sent.all[i].bytes[0] = static_cast<std::byte>(i);
            sent.all[i].peer = (i % 2 == 0 ? first : second).local_endpoint();
        }
        near.send_batch(sent.all);
        std::vector<int> seen;
        for (auto* const socket : {&first, &second}) {
            places received{64, 1};
            for (std::size_t left = 75; left > 0;) {
                const std::size_t n = socket->receive_batch(received.all);
                for (std::size_t i = 0; i < n; ++i) {
                    seen.push_back(static_cast<int>(received.all[i].bytes[0]));
                    received.all[i].bytes = std::span{received.memory}.subspan(i, 1);
                }
                left -= n;
            }
        }
        std::ranges::sort(seen);
        std::vector<int> all(150);
        std::iota(all.begin(), all.end(), 0);
        CHECK(seen == all);
    });
}

TEST_CASE("udp_socket: if a batch fails in the middle, the number of datagrams sent before is reported") {
    in_scheduler([] {
        auto near = on_loopback();
        auto far = on_loopback();
        std::vector<std::byte> large(70'000);
        std::array<std::byte, 1> small{};
        const std::array<datagram, 3> all{datagram{small, far.local_endpoint()}, datagram{large, far.local_endpoint()},
                                          datagram{small, far.local_endpoint()}};
        std::error_code ec;
        CHECK(near.send_batch(all, coir::never, ec) == 1);
        CHECK(ec == std::errc::message_size);
    });
}

TEST_CASE("udp_socket: supports IPv6") {
    in_scheduler([] {
        std::error_code ec;
        auto server = udp_socket::bind({"::1", 0}, {}, ec);
        if (ec == std::errc::address_not_available) return;  // a machine without IPv6
        REQUIRE_FALSE(ec);
        auto client = udp_socket::connect(server.local_endpoint());
        client.send("six");
        std::array<std::byte, 8> buffer;
        CHECK(server.receive_from(buffer).peer == client.local_endpoint());
    });
}

// ---- segments ----------------------------------------------------------------------------------------------------

TEST_CASE("udp_socket: send_segments splits the data, and the last segment may be shorter") {
    in_scheduler([] {
        auto server = on_loopback();
        auto client = on_loopback();
        client.send_segments(std::as_bytes(std::span{std::string_view{"aaabbbcccd"}}), 3, server.local_endpoint());
        for (const char* const expected : {"aaa", "bbb", "ccc", "d"}) {
            std::array<std::byte, 100> place;
            CHECK(as_text(server.receive_from(place, 1s).bytes) == expected);
        }
    });
}

TEST_CASE("udp_socket: segments that need many system calls all arrive, in order") {
    in_scheduler([] {
        constexpr std::size_t segment = 1'000, count = 300;
        auto server = on_loopback();
        server.set_receive_buffer(4 << 20);
        auto client = on_loopback();
        std::vector<std::byte> bytes(segment * count - 1);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / segment);
        std::vector<std::byte> received;
        auto reader = coir::spawn([&] {
            while (received.size() < bytes.size()) {
                std::array<std::byte, 2 * segment> place;
                const auto next = server.receive_from(place, 1s).bytes;
                received.insert(received.end(), next.begin(), next.end());
            }
        });
        // A few at a time: the kernel drops datagrams that exceed the receive buffer.
        for (std::size_t from = 0; from < bytes.size(); from += 100 * segment) {
            const auto part = std::span{bytes}.subspan(from, std::min(100 * segment, bytes.size() - from));
            std::error_code ec;
            CHECK(client.send_segments(part, segment, server.local_endpoint(), 1s, ec) == part.size());
            CHECK_FALSE(ec);
            coir::this_fiber::sleep_for(1ms);
        }
        reader.get();
        CHECK(received == bytes);
    });
}

TEST_CASE("udp_socket: segments that the network refuses as one batch are sent separately") {
    in_scheduler([] {
        auto server = on_loopback();
        auto client = on_loopback();
        const std::vector<std::byte> bytes(120'000);  // the limit of loopback is 65,536
        client.send_segments(bytes, 60'000, server.local_endpoint());
        std::vector<std::byte> place(70'000);
        CHECK(server.receive_from(place, 1s).bytes.size() == 60'000);
        CHECK(server.receive_from(place, 1s).bytes.size() == 60'000);
    });
}

TEST_CASE("udp_socket: segments of size 0 or larger than a datagram are refused") {
    in_scheduler([] {
        auto socket = on_loopback();
        const std::vector<std::byte> bytes(100'000);
        const auto to = socket.local_endpoint();
        CHECK(error_of([&] { socket.send_segments(bytes, 0, to); }) == std::errc::invalid_argument);
        CHECK(error_of([&] { socket.send_segments(bytes, 70'000, to); }) == std::errc::message_size);
        socket.send_segments({}, 1'000, to);
    });
}

// ---- options -----------------------------------------------------------------------------------------------------

TEST_CASE("udp_socket: sets the options of the socket") {
    in_scheduler([] {
        auto socket = on_loopback();
        socket.set_send_buffer(20'000);
        CHECK(socket.send_buffer() == 20'000);
        socket.set_receive_buffer(30'000);
        CHECK(socket.receive_buffer() == 30'000);
        const endpoint everyone{"255.255.255.255", 9};
        CHECK(error_of([&] { socket.send_to("x", everyone); }) == std::errc::permission_denied);
        socket.set_broadcast(true);
        CHECK(error_of([&] { socket.send_to("x", everyone); }) != std::errc::permission_denied);
    });
}

TEST_CASE("udp_socket: takes part in a multicast group, and leaves it") {
    in_scheduler([] {
        auto v4 = udp_socket::bind({"0.0.0.0", 0});
        const endpoint group{"239.1.2.3", 0};
        v4.join_multicast(group);
        CHECK(error_of([&] { v4.join_multicast(group); }) == std::errc::address_in_use);
        v4.leave_multicast(group);
        CHECK_THROWS_WITH_AS(v4.leave_multicast(group), doctest::Contains("239.1.2.3"), std::system_error);
        CHECK(error_of([&] { v4.join_multicast({"10.0.0.1", 0}); }) == std::errc::invalid_argument);
        CHECK(error_of([&] { v4.join_multicast(endpoint::local("x")); }) == std::errc::address_family_not_supported);

        auto v6 = udp_socket::bind({"::1", 0});
        const endpoint own{"ff01::1234%lo", v6.local_endpoint().port()};
        v6.join_multicast(own);
        v6.leave_multicast(own);
    });
}
