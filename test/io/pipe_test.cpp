#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/seccomp.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <functional>
#include <linux/seccomp.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::detail::unique_fd;
namespace io = coir::io;

namespace {

/// A pipe or a socket pair: its two ends.
std::pair<io::reader, io::writer> blocking_pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    return {io::reader{ends[0]}, io::writer{ends[1]}};
}

std::pair<io::reader, io::writer> blocking_sockets() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return {io::reader{ends[0]}, io::writer{ends[1]}};
}

/// Runs the same test with each kind of pipe.
template <class F> void for_each_kind(F&& test) {
    for (const auto make : {&io::pipe, &blocking_pipe, &blocking_sockets}) {
        in_scheduler([&] {
            auto [reader, writer] = make();
            test(reader, writer);
        });
    }
}

}  // namespace

TEST_CASE("pipe: written bytes are read, and the stream ends after the writer is closed") {
    for_each_kind([](io::reader& reader, io::writer& writer) {
        writer.write_all("hello");
        CHECK(read_text(reader) == "hello");
        writer.close();
        CHECK(read_text(reader).empty());
        CHECK_FALSE(writer.is_open());
    });
}

TEST_CASE("pipe: a read waits for data, a write for space, and meanwhile other fibers run") {
    for_each_kind([](io::reader& reader, io::writer& writer) {
        constexpr std::size_t bytes = 3 << 20;
        std::string content(bytes, ' ');
        for (std::size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>('a' + i % 23);
        auto consumer = coir::spawn([&] {
            std::size_t total = 0;
            for (std::string text; !(text = read_text(reader)).empty(); total += text.size()) {
                CHECK(content.compare(total, text.size(), text) == 0);
            }
            return total;
        });
        coir::this_fiber::yield();
        writer.write_all(content);
        writer.close();
        CHECK(consumer.get() == bytes);
    });
}

TEST_CASE("pipe: calls time out and lose nothing") {
    for_each_kind([](io::reader& reader, io::writer& writer) {
        CHECK_THROWS_AS(read_text(reader, 1ms), coir::timed_out);
        const std::string much(1 << 20, 'x');
        std::error_code ec;
        const std::size_t taken = writer.write_all(std::as_bytes(std::span{much}), 20ms, ec);
        CHECK(ec == std::errc::timed_out);
        CHECK(taken > 0);
        std::size_t total = 0;
        while (total < taken) total += read_text(reader).size();
        CHECK(total == taken);
        CHECK_THROWS_AS(read_text(reader, 1ms), coir::timed_out);
    });
}

TEST_CASE("pipe: a stop or close ends a waiting read") {
    for_each_kind([](io::reader& reader, io::writer& writer) {
        auto stopped = coir::spawn([&] { read_text(reader); });
        coir::this_fiber::yield();
        CHECK(error_of([&] { read_text(reader); }) == std::errc::operation_in_progress);
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        writer.write_all("kept");
        CHECK(read_text(reader) == "kept");
        auto closed = coir::spawn([&] { return error_of([&] { read_text(reader); }); });
        coir::this_fiber::yield();
        reader.close();
        CHECK(closed.get() == std::errc::operation_canceled);
        CHECK(error_of([&] { read_text(reader); }) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("pipe: a write without a reader throws broken_pipe, and raises no SIGPIPE") {
    for_each_kind([](io::reader& reader, io::writer& writer) {
        reader.close();
        CHECK(error_of([&] { writer.write_all("lost"); }) == std::errc::broken_pipe);
    });
}

TEST_CASE("pipe: several buffers are read and written in order") {
    for_each_kind([](io::reader& reader, io::writer& writer) {
        const std::string head = "head ", nothing, body = "body";
        const std::array parts{std::as_bytes(std::span{nothing}), std::as_bytes(std::span{head}),
                               std::as_bytes(std::span{body})};
        writer.write_all(parts);
        std::string first(2, ' '), second(7, ' '), all;
        while (all.size() < 9) {
            const std::array buffers{std::as_writable_bytes(std::span{first}),
                                     std::as_writable_bytes(std::span{second})};
            const std::size_t n = reader.read_some(buffers);
            all += (first + second).substr(0, n);
        }
        CHECK(all == "head body");
    });
}

TEST_CASE("pipe: a released end belongs to the caller and is open") {
    in_scheduler([] {
        auto [reader, writer] = io::pipe();
        const unique_fd taken{writer.release()};
        CHECK_FALSE(writer.is_open());
        CHECK(::write(taken.get(), "x", 1) == 1);
        CHECK(read_text(reader) == "x");
    });
}

TEST_CASE("pipe: its descriptors are closed on exec, and its calls need a fiber") {
    auto [reader, writer] = io::pipe();
    CHECK((::fcntl(reader.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(writer.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    auto& in = writer;
    CHECK_THROWS_AS(in.write_all("x"), coir::not_in_fiber);
}

TEST_CASE("reader and writer: a regular file is read and written at its current offset") {
    in_scheduler([] {
        const temporary_folder here;
        io::writer out{::open(here.file("text").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
        out.write_all("one ");
        out.write_all("two");
        io::reader in{::open(here.file("text").c_str(), O_RDONLY | O_CLOEXEC)};
        std::array<std::byte, 4> place;
        CHECK(in.read_exactly(place) == 4);
        CHECK(read_text(in) == "two");
        CHECK(read_text(in).empty());
    });
}

TEST_CASE("reader and writer: work with devices that are always ready") {
    in_scheduler([] {
        io::reader null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
        CHECK(read_text(null).empty());
        io::reader zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        std::array<std::byte, 3> place{std::byte{1}, std::byte{1}, std::byte{1}};
        CHECK(zero.read_some(place) == 3);
        CHECK(place[2] == std::byte{0});
        io::writer full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
        CHECK_THROWS_WITH_AS(full.write_all("x"), doctest::Contains("io::writer::write_all"), std::system_error);
        CHECK(error_of([&] { full.write_all("x"); }) == std::errc::no_space_on_device);
    });
}

TEST_CASE("reader and writer: work with a named FIFO") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("fifo");
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        io::reader in{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        io::writer out{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
        auto late = coir::spawn([&] { return read_text(in); });
        coir::this_fiber::yield();
        out.write_all("through");
        CHECK(late.get() == "through");
    });
}

TEST_CASE("pipe: no descriptor is lost if an end or a standard stream cannot be made") {
    const auto child = coir::test::in_child([] {
        const int before = ::dup(0);
        ::close(before);
        for (const unsigned each : {SYS_fstat, SYS_newfstatat}) {
            coir::test::filter_system_call(each, -1, SECCOMP_RET_ERRNO | EACCES);
        }
        int refused = 0;
        for (const auto& make : std::vector<std::function<void()>>{
                 [] { static_cast<void>(coir::io::pipe()); }, [] { static_cast<void>(coir::io::standard_input()); },
                 [] { static_cast<void>(coir::io::standard_error()); }}) {
            try {
                make();
            } catch (const std::system_error&) {
                ++refused;
            }
        }
        if (refused != 3 || ::dup(0) != before) throw std::runtime_error{"a descriptor is open"};
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("reader and writer: refuse an invalid descriptor, and name it") {
    CHECK_THROWS_WITH_AS(io::reader{-1}, doctest::Contains("-1"), std::system_error);
    CHECK_THROWS_WITH_AS(io::writer{999'999}, doctest::Contains("999999"), std::system_error);
    io::reader closed;
    in_scheduler([&] { CHECK(error_of([&] { read_text(closed); }) == std::errc::bad_file_descriptor); });
}
