#include <coir/io/buffered_reader.hpp>

#include "base/random.hpp"
#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using coir::io::buffered_reader;
using coir::test::in_scheduler;

namespace {

/// A stream that returns the given pieces; an empty piece stands for a timeout.
class pieces {
public:
    explicit pieces(std::deque<std::string> all) : left_{std::move(all)} {}

    std::size_t read_some(std::span<std::byte> into, coir::deadline) {
        if (left_.empty()) return 0;
        std::string& next = left_.front();
        if (next.empty()) {
            left_.pop_front();
            throw coir::timed_out{"pieces"};
        }
        const std::size_t n = std::min(next.size(), into.size());
        std::ranges::copy(std::as_bytes(std::span{next.data(), n}), into.begin());
        next.erase(0, n);
        if (next.empty()) left_.pop_front();
        return n;
    }

private:
    std::deque<std::string> left_;
};

template <class Reader> std::vector<std::string> lines_of(Reader& reader) {
    std::vector<std::string> lines;
    while (const auto line = reader.read_line()) lines.emplace_back(*line);
    return lines;
}

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "buffered_reader: read_line returns lines without their ends, the last one may have none, and lines may be empty") {
    pieces stream{{"one\ntw", "o\r", "\n\n", "four"}};
    buffered_reader reader{stream};
    CHECK(lines_of(reader) == texts{"one", "two", "", "four"});
    CHECK_FALSE(reader.read_line().has_value());
}

TEST_CASE("buffered_reader: a \\r that no \\n follows is data") {
    pieces stream{{"a\rb\n", "c\r\r\n", "password\r"}};
    buffered_reader reader{stream};
    CHECK(lines_of(reader) == texts{"a\rb", "c\r", "password\r"});
    pieces only_this{{"\r"}};
    buffered_reader other{only_this};
    CHECK(lines_of(other) == texts{"\r"});
}

TEST_CASE(
    "buffered_reader: read_until finds a delimiter split over two pieces, and returns it with the text before it") {
    pieces stream{{"head\r\n\r", "\nbody"}};
    buffered_reader reader{stream};
    CHECK(reader.read_until("\r\n\r\n") == "head\r\n\r\n");
    CHECK(reader.buffered() == 4);
    CHECK(reader.read_until("\r\n\r\n") == "body");  // returns the rest at the end of the stream
    CHECK(reader.read_until("\r\n\r\n").empty());
}

TEST_CASE("buffered_reader: read_exactly returns the requested number of bytes, and less only at the end") {
    pieces stream{{"abc", "defg"}};
    buffered_reader reader{stream};
    CHECK(reader.read_exactly(5) == "abcde");
    CHECK(reader.read_exactly(0).empty());
    CHECK(reader.read_exactly(5) == "fg");
    CHECK(reader.read_exactly(5).empty());
}

TEST_CASE("buffered_reader: read_some first returns buffered bytes, then those of the stream") {
    pieces stream{{"a\nbc", "d"}};
    buffered_reader reader{stream};
    CHECK(reader.read_line() == "a");
    std::array<char, 8> into{};
    const auto bytes = std::as_writable_bytes(std::span{into});
    CHECK(reader.read_some(bytes.first(1)) == 1);
    CHECK(into[0] == 'b');
    CHECK(reader.read_some(bytes) == 1);
    CHECK(into[0] == 'c');
    CHECK(reader.read_some(bytes) == 1);
    CHECK(into[0] == 'd');
    CHECK(reader.read_some(bytes) == 0);
}

TEST_CASE("buffered_reader: an interrupted call loses nothing") {
    pieces stream{{"beg", "", "in\nre", "", "st"}};
    buffered_reader reader{stream};
    CHECK_THROWS_AS(static_cast<void>(reader.read_line()), coir::timed_out);
    CHECK(reader.read_line() == "begin");
    CHECK_THROWS_AS(static_cast<void>(reader.read_exactly(4)), coir::timed_out);
    CHECK(reader.read_exactly(4) == "rest");
}

TEST_CASE("buffered_reader: a line longer than the limit is refused with an error that names the limit, and is not "
          "consumed") {
    pieces stream{{"0123456789abcdef", "\nnext"}};
    buffered_reader reader{stream, 16};
    try {
        static_cast<void>(reader.read_line());
        FAIL("it fits");
    } catch (const std::system_error& refused) {
        CHECK(refused.code() == std::errc::message_size);
        CHECK(std::string{refused.what()}.find("the limit of 16 bytes") != std::string::npos);
    }
    CHECK_THROWS_AS(static_cast<void>(reader.read_exactly(17)), std::system_error);
    CHECK(reader.read_exactly(16) == "0123456789abcdef");
    CHECK(reader.read_line() == "");
    CHECK(reader.read_line() == "next");
}

TEST_CASE("buffered_reader: a line as long as the limit fits, also a last line without an end") {
    pieces stream{{"1234567\nabcdefgh"}};
    buffered_reader reader{stream, 8};
    CHECK(reader.read_line() == "1234567");
    CHECK(reader.read_line() == "abcdefgh");
    CHECK_FALSE(reader.read_line());
}

TEST_CASE("buffered_reader: if a fiber is stopped while it reads a line, the next call returns the line") {
    in_scheduler([] {
        auto ends = coir::test::connection::make();
        buffered_reader reader{ends.far};
        auto first = coir::spawn([&] { static_cast<void>(reader.read_line()); });
        ends.near.write_all("hel");
        while (reader.buffered() < 3) coir::this_fiber::yield();
        first.request_stop();
        CHECK_THROWS_AS(first.get(), coir::fiber_stopped);
        CHECK_THROWS_AS(static_cast<void>(reader.read_line(1ms)), coir::timed_out);
        ends.near.write_all("lo\n");
        CHECK(reader.read_line() == "hello");
    });
}

TEST_CASE("buffered_reader: a text split at any positions is returned completely") {
    coir::detail::random_numbers random{1};
    for (int round = 0; round < 2'000; ++round) {
        CAPTURE(round);
        std::string text;
        while (text.size() < random.below(200)) text += "ab\r\n"[random.below(4)];
        std::deque<std::string> cut;
        for (std::size_t at = 0; at < text.size();) {
            if (random.below(4) == 0) cut.emplace_back();
            const std::size_t length = 1 + random.below(9);
            cut.push_back(text.substr(at, length));
            at += length;
        }
        pieces stream{cut};
        buffered_reader reader{stream, 256};
        std::string read;
        for (;;) {
            try {
                const std::string_view part =
                    random.below(2) == 0 ? reader.read_until("\r\n") : reader.read_exactly(1 + random.below(20));
                if (part.empty()) break;
                read += part;
            } catch (const coir::timed_out&) {
            }
        }
        CHECK(read == text);
    }
}
