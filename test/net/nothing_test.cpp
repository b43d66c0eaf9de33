#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
namespace io = coir::io;
namespace net = coir::net;

namespace {

constexpr std::span<std::byte> no_room;
constexpr std::span<const std::byte> no_bytes;
const std::array<std::span<std::byte>, 2> two_without_room{};
const std::array<std::span<const std::byte>, 2> two_without_bytes{};

template <class From> void read_nothing(From& from) {
    std::error_code ec;
    // The first read with room finds nothing, so that what follows has no reason to try.
    std::array<std::byte, 1> room;
    from.read_some(room, 0ms, ec);
    CHECK(ec == std::errc::timed_out);
    CHECK(from.read_some(no_room) == 0);
    CHECK(from.read_some(io::mutable_buffers{two_without_room}) == 0);
    CHECK(from.read_some(io::mutable_buffers{}) == 0);
    CHECK(from.read_exactly(no_room) == 0);
    io::buffered_reader buffered{from};
    CHECK(buffered.read_some(no_room) == 0);
    CHECK(buffered.read_exactly(0).empty());
}

template <class To> void write_nothing(To& to) {
    std::vector<std::byte> block(1 << 16);
    for (std::error_code full; !full;) to.write_some(block, 0ms, full);
    CHECK(to.write_some(no_bytes) == 0);
    CHECK(to.write_some(io::const_buffers{two_without_bytes}) == 0);
    CHECK(to.write_some(std::string_view{}) == 0);
    to.write_all(no_bytes);
}

}  // namespace

TEST_CASE("byte_stream: a read or a write of nothing returns at once") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        read_nothing(near);
        write_nothing(near);
        auto [one, two] = net::unix_stream::pair();
        read_nothing(one);
        write_nothing(one);
        auto [reader, writer] = io::pipe();
        read_nothing(reader);
        write_nothing(writer);

        const temporary_folder here;
        auto file = io::file::create(here.file("a"));
        CHECK(file.read_some(no_room) == 0);
        CHECK(file.write_some(no_bytes) == 0);

        auto socket = net::udp_socket::bind({"127.0.0.1", 0});
        CHECK(socket.receive_batch({}) == 0);
    });
}

TEST_CASE("datagram: a receive into an empty buffer waits for a datagram, and drops its content") {
    in_scheduler([] {
        std::array<std::byte, 8> room;
        std::error_code ec;
        auto to = net::udp_socket::bind({"127.0.0.1", 0});
        auto from = net::udp_socket::connect(to.local_endpoint());
        CHECK(to.receive_from(no_room, 1ms, ec).bytes.empty());
        CHECK(ec == std::errc::timed_out);
        CHECK(to.receive(no_room, 1ms, ec) == 0);
        CHECK(ec == std::errc::timed_out);
        for (const char* text : {"a", "b", "last"}) from.send(text);
        const net::datagram dropped = to.receive_from(no_room);
        CHECK(dropped.peer == from.local_endpoint());
        CHECK(dropped.truncated);
        CHECK(to.receive(no_room) == 0);
        CHECK(to.receive(room) == 4);

        auto [one, two] = net::unix_datagram::pair();
        CHECK(two.receive_from(no_room, 1ms, ec).bytes.empty());
        CHECK(ec == std::errc::timed_out);
        for (const char* text : {"a", "last"}) one.send(text);
        CHECK(two.receive_from(no_room).truncated);
        CHECK(two.receive_from(room).bytes.size() == 4);
    });
}

TEST_CASE("byte_stream: a read or a write of nothing fails on a closed stream") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        near.close();
        std::error_code ec;
        CHECK(near.read_some(no_room, coir::never, ec) == 0);
        CHECK(ec == std::errc::bad_file_descriptor);
        CHECK(near.write_some(no_bytes, coir::never, ec) == 0);
        CHECK(ec == std::errc::bad_file_descriptor);
    });
}
