#include "storm/operations.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace coir::storm {

namespace {

constexpr std::size_t period = 251;  // of the bytes of each stream, whose place in it tells their value
constexpr std::size_t block_bytes = 8192;

const std::array<std::byte, block_bytes + period> pattern = [] {
    std::array<std::byte, block_bytes + period> made{};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<std::byte>(i % period);
    return made;
}();

std::span<const std::byte> bytes_at(std::size_t position, std::size_t count) {
    return std::span{pattern}.subspan(position % period, count);
}

/// Sends until it is stopped, has sent enough, or waits for too long. Counts what the kernel has taken.
template <class Writer> void send_bytes(island& here, Writer to) {
    std::size_t sent = 0;
    std::error_code ec;
    for (std::size_t left = here.random.below(16); left > 0 && !ec; --left) {
        const std::size_t n =
            to.write_some(bytes_at(sent, 1 + here.random.below(block_bytes)), here.random.below(2) * 2ms, ec);
        sent += n;
        here.all.counts.bytes.in += n;
    }
    expect(!ec || ec == std::errc::timed_out, here, "a peer that reads to the end is no error");
}

/// Reads to the end of the stream, also after a stop or an expiry.
template <class Reader> void receive_bytes(island& here, Reader from) {
    std::size_t received = 0;
    std::array<std::byte, block_bytes> room;
    const auto read_on = [&] {
        while (const std::size_t n = from.read_some(std::span{room}.first(1 + here.random.below(block_bytes)))) {
            const auto expected = bytes_at(received, n);
            expect(std::equal(expected.begin(), expected.end(), room.begin()), here, "bytes arrive in order");
            received += n;
            here.all.counts.bytes.out += n;
        }
    };
    try {
        read_on();
    } catch (const std::exception&) {
        expect(false, here, "a peer that closes in order is no error");
    } catch (...) {
        const shield_scope shield;
        read_on();
        throw;
    }
}

template <class Reader, class Writer> void transfer(island& here, Reader from, Writer to) {
    task_group both;
    both.spawn([&here, from = std::move(from)]() mutable { receive_bytes(here, std::move(from)); });
    both.spawn([&here, to = std::move(to)]() mutable { send_bytes(here, std::move(to)); });
    both.wait();
}

}  // namespace

void serve_client(island& here, net::tcp_stream client) { receive_bytes(here, std::move(client)); }

void connect_tcp(island& here) {
    std::error_code ec;
    auto stream = net::tcp_stream::connect(here.all.any(here.random).address, 10s, ec);
    expect(!ec, here, "a listener that is open can be connected to");
    if (!ec) send_bytes(here, std::move(stream));
}

void use_unix_streams(island& here) {
    auto ends = net::unix_stream::pair();
    transfer(here, std::move(ends.first), std::move(ends.second));
}

void use_pipe(island& here) {
    auto ends = io::pipe();
    transfer(here, std::move(ends.first), std::move(ends.second));
}

void use_files(island& here) {
    const auto path = here.all.folder.path() / std::to_string(++here.all.files);
    const std::string content(here.random.below(20'000), 'x');
    if (here.random.below(4) == 0) {
        io::replace_file(path, content);
    } else {
        auto file = io::file::create(path);
        file.write_all(content);
        std::error_code ec;
        std::array<std::byte, 100> room;
        const std::size_t n = file.read_at(0, room, here.random.below(2) * 1ms, ec);
        expect(ec == std::errc::timed_out || n == std::min(content.size(), room.size()), here, "a file is read back");
        file.close();
    }
    expect(io::read_file(path) == content, here, "a file has what was written");
    std::filesystem::remove(path);
}

}  // namespace coir::storm
