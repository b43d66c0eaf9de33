#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span{text}); }

std::span<std::byte> places_of(std::string& text) { return std::as_writable_bytes(std::span{text}); }

}  // namespace

TEST_CASE("stream: a vectored write sends several buffers in order") {
    in_scheduler([] {
        auto ends = connection::make();
        const std::string head = "head ", nothing, body = "body";
        const std::array parts{bytes_of(head), bytes_of(nothing), bytes_of(body)};
        CHECK(ends.near.write_some(parts) == 9);
        CHECK(read_text(ends.far) == "head body");
    });
}

TEST_CASE("stream: a vectored read fills several buffers in order") {
    in_scheduler([] {
        auto ends = connection::make();
        ends.near.write_all("abcdefg");
        std::string first(3, ' '), second(10, ' ');
        const std::array parts{places_of(first), places_of(second)};
        CHECK(ends.far.read_some(parts) == 7);
        CHECK(first == "abc");
        CHECK(second.substr(0, 4) == "defg");
    });
}

TEST_CASE("stream: a vectored read waits, times out, and returns 0 at the end") {
    in_scheduler([] {
        auto ends = connection::make();
        std::string place(3, ' ');
        const std::array parts{places_of(place)};
        CHECK_THROWS_AS(static_cast<void>(ends.far.read_some(parts, 1ms)), coir::timed_out);
        auto reader = coir::spawn([&] { return ends.far.read_some(parts); });
        coir::this_fiber::yield();
        ends.near.write_all("xy");
        CHECK(reader.get() == 2);
        ends.near.close();
        CHECK(ends.far.read_some(parts) == 0);
    });
}

TEST_CASE(
    "stream: a vectored write_all of more buffers and bytes than a system call accepts sends every byte in order") {
    in_scheduler([] {
        auto ends = connection::make();
        constexpr std::size_t count = 100, bytes = 50'001;
        std::vector<std::string> texts;
        std::vector<std::span<const std::byte>> parts;
        std::string all;
        for (std::size_t i = 0; i < count; ++i) texts.push_back(std::string(bytes, static_cast<char>('a' + i % 26)));
        for (const std::string& text : texts) {
            parts.push_back(bytes_of(text));
            all += text;
        }
        auto writer = coir::spawn([&] {
            ends.near.write_all(parts);
            ends.near.shutdown();
        });
        std::string received(all.size() + 1, ' ');
        CHECK(ends.far.read_exactly(places_of(received)) == all.size());
        received.pop_back();
        CHECK(received == all);
        writer.get();
    });
}

TEST_CASE("stream: a vectored write_all with an error_code reports the number of bytes sent before the failure") {
    in_scheduler([] {
        auto ends = connection::make();
        const std::string much(10 << 20, 'x');
        const std::array parts{bytes_of(much), bytes_of(much)};
        std::error_code ec;
        const std::size_t taken = ends.near.write_all(parts, 20ms, ec);
        CHECK(ec == std::errc::timed_out);
        CHECK(taken > 0);
        CHECK(taken < 2 * much.size());
    });
}
