#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::detail::unique_fd;
namespace io = coir::io;

namespace {

struct pipe_ends {
    explicit pipe_ends(int flags = O_NONBLOCK) {
        int ends[2];
        REQUIRE(::pipe2(ends, flags | O_CLOEXEC) == 0);
        out = unique_fd{ends[0]};
        in = unique_fd{ends[1]};
    }
    unique_fd out;
    unique_fd in;
};

template <class F> std::system_error failure_of(F&& f) {
    try {
        f();
    } catch (const std::system_error& failure) {
        return failure;
    }
    return std::system_error{std::error_code{}};
}

std::string next_text(int fd) {
    std::array<char, 4096> buffer;
    return {buffer.data(), io::read_some(fd, std::as_writable_bytes(std::span{buffer}))};
}

/// A number that is no open descriptor.
int closed_number() {
    const int fd = ::dup(0);
    ::close(fd);
    return fd;
}

}  // namespace

// ---- waiting -----------------------------------------------------------------------------------------------------

TEST_CASE("io: wait_readable returns when there is data") {
    in_scheduler([] {
        const pipe_ends pipe;
        auto reader = coir::spawn([&] { io::wait_readable(pipe.out.get()); });
        coir::this_fiber::yield();
        CHECK_FALSE(reader.done());
        REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
        reader.get();
        io::wait_readable(pipe.out.get());  // the data was not read: still readable
    });
}

TEST_CASE("io: wait_readable ends at the end of the stream") {
    in_scheduler([] {
        pipe_ends pipe;
        auto reader = coir::spawn([&] { io::wait_readable(pipe.out.get()); });
        coir::this_fiber::yield();
        pipe.in = unique_fd{};
        reader.get();
    });
}

TEST_CASE("io: wait_writable returns when there is space, or when the reader is gone") {
    in_scheduler([] {
        pipe_ends pipe;
        io::wait_writable(pipe.in.get());
        const std::string plenty(1 << 20, 'x');
        const auto taken = ::write(pipe.in.get(), plenty.data(), plenty.size());
        REQUIRE(taken > 0);
        CHECK_THROWS_AS(io::wait_writable(pipe.in.get(), 1ms), coir::timed_out);
        auto writer = coir::spawn([&] { io::wait_writable(pipe.in.get()); });
        coir::this_fiber::yield();
        std::vector<char> sink(static_cast<std::size_t>(taken));
        REQUIRE(::read(pipe.out.get(), sink.data(), sink.size()) == taken);
        writer.get();
        pipe.out = unique_fd{};
        io::wait_writable(pipe.in.get());
    });
}

TEST_CASE("io: a regular file and /dev/null are always ready") {
    in_scheduler([] {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::tmpfile(), &std::fclose};
        io::wait_readable(::fileno(file.get()));
        io::wait_writable(::fileno(file.get()));
        const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
        io::wait_readable(null.get());
        io::wait_writable(null.get());
    });
}

TEST_CASE("io: a fiber that waits for an always ready descriptor lets others run") {
    in_scheduler([] {
        const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
        bool stop = false;
        auto other = coir::spawn([&] { stop = true; });
        int waits = 0;
        while (!stop && ++waits < 10'000) io::wait_readable(null.get());
        CHECK(waits < 200);
        other.join();
    });
}

TEST_CASE("io: a closed or negative descriptor is refused, and named") {
    in_scheduler([] {
        const int closed = closed_number();
        for (const int fd : {-1, -7, closed, 1 << 20}) {
            CAPTURE(fd);
            std::array<std::byte, 4> buffer;
            for (const auto& failure :
                 {failure_of([&] { io::wait_readable(fd); }), failure_of([&] { io::wait_writable(fd); }),
                  failure_of([&] { static_cast<void>(io::read_some(fd, buffer)); }),
                  failure_of([&] { io::write_all(fd, "x"); })}) {
                CHECK(failure.code() == std::errc::bad_file_descriptor);
                CHECK(std::string{failure.what()}.find("descriptor " + std::to_string(fd)) != std::string::npos);
            }
            std::error_code ec;
            io::wait_readable(fd, coir::never, ec);
            CHECK(ec == std::errc::bad_file_descriptor);
        }
    });
}

TEST_CASE("io: outside a fiber the calls throw not_in_fiber") {
    CHECK_THROWS_AS(io::wait_readable(0), coir::not_in_fiber);
    CHECK_THROWS_AS(io::write_all(1, "x"), coir::not_in_fiber);
}

TEST_CASE("io: a wait ends at its deadline, or with a stop") {
    in_scheduler([] {
        const pipe_ends pipe;
        CHECK_THROWS_AS(io::wait_readable(pipe.out.get(), 1ms), coir::timed_out);
        std::error_code ec;
        io::wait_readable(pipe.out.get(), 1ms, ec);
        CHECK(ec == std::errc::timed_out);
        auto reader = coir::spawn([&] { io::wait_readable(pipe.out.get()); });
        coir::this_fiber::yield();
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
    });
}

TEST_CASE("io: an interrupted read_exactly keeps the bytes it has read, and the next read continues after them") {
    in_scheduler([] {
        const pipe_ends pipe;
        std::array<char, 8> into{};
        auto reader = coir::spawn(
            [&] { static_cast<void>(io::read_exactly(pipe.out.get(), std::as_writable_bytes(std::span{into}))); });
        io::write_all(pipe.in.get(), "one ");
        while (into[3] == 0) coir::this_fiber::yield();
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
        io::write_all(pipe.in.get(), "two");
        CHECK(std::string_view{into.data(), 4} == "one ");
        CHECK(io::read_some(pipe.out.get(), std::as_writable_bytes(std::span{into})) == 3);
        CHECK(std::string_view{into.data(), 3} == "two");
    });
}

TEST_CASE("io: several fibers may wait for one descriptor, in both directions") {
    in_scheduler([] {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        const unique_fd near{ends[0]};
        const unique_fd far{ends[1]};
        auto first = coir::spawn([&] { io::wait_readable(near.get()); });
        auto second = coir::spawn([&] { io::wait_readable(near.get()); });
        coir::this_fiber::yield();
        io::wait_writable(near.get());
        coir::this_fiber::yield();
        CHECK_FALSE(first.done());
        REQUIRE(::write(far.get(), "x", 1) == 1);
        first.get();
        second.get();
    });
}

TEST_CASE("io: a descriptor number that was closed and reused is detected") {
    in_scheduler([] {
        pipe_ends pipe;
        const int number = pipe.out.get();
        CHECK_THROWS_AS(io::wait_readable(number, 1ms), coir::timed_out);
        pipe.out = unique_fd{};
        const pipe_ends next;
        REQUIRE(::dup2(next.out.get(), number) == number);
        const unique_fd again{number};
        auto reader = coir::spawn([&] { io::wait_readable(number); });
        coir::this_fiber::yield();
        REQUIRE(::write(next.in.get(), "x", 1) == 1);
        reader.get();
    });
}

TEST_CASE("io: the descriptor of a stream can be waited for, also if its data arrived long before") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("ab");
        std::array<std::byte, 1> byte;
        CHECK(far.read_some(byte) == 1);
        coir::this_fiber::sleep_for(1ms);
        io::wait_readable(far.native_handle(), 5s);
        CHECK(far.read_some(byte) == 1);
        CHECK_THROWS_AS(io::wait_readable(far.native_handle(), 1ms), coir::timed_out);
        auto waiting = coir::spawn([&] { io::wait_readable(far.native_handle()); });
        coir::this_fiber::yield();
        near.write_all("c");
        waiting.get();
        io::wait_writable(near.native_handle());
    });
}

// ---- transfers ---------------------------------------------------------------------------------------------------

TEST_CASE("io: reads wait for data, and return 0 at the end") {
    in_scheduler([] {
        pipe_ends pipe;
        auto reader = coir::spawn([&] { return next_text(pipe.out.get()); });
        coir::this_fiber::yield();
        io::write_all(pipe.in.get(), "hello");
        CHECK(reader.get() == "hello");
        pipe.in = unique_fd{};
        CHECK(next_text(pipe.out.get()).empty());
    });
}

TEST_CASE("io: write_all and read_exactly transfer more than the capacity of the pipe") {
    in_scheduler([] {
        pipe_ends pipe;
        const std::vector<std::byte> sent(3 << 20, std::byte{42});
        auto writer = coir::spawn([&] {
            io::write_all(pipe.in.get(), sent);
            pipe.in = unique_fd{};
        });
        std::vector<std::byte> got(sent.size() + 1);
        CHECK(io::read_exactly(pipe.out.get(), got) == sent.size());
        got.pop_back();
        CHECK(got == sent);
        writer.join();
    });
}

TEST_CASE("io: a transfer ends at its deadline, and reports the number of bytes") {
    in_scheduler([] {
        const pipe_ends pipe;
        std::error_code ec;
        const std::size_t taken = io::write_all(pipe.in.get(), std::vector<std::byte>(1 << 20), 1ms, ec);
        CHECK(ec == std::errc::timed_out);
        CHECK(taken > 0);
        CHECK(taken < 1 << 20);
        std::vector<std::byte> got(1 << 20);
        CHECK(io::read_exactly(pipe.out.get(), got, 1ms, ec) == taken);
        CHECK(ec == std::errc::timed_out);
    });
}

TEST_CASE("io: a blocking descriptor is refused, and named") {
    in_scheduler([] {
        const pipe_ends pipe{0};
        std::array<std::byte, 1> byte;
        const auto read = failure_of([&] { static_cast<void>(io::read_some(pipe.out.get(), byte)); });
        CHECK(read.code() == std::errc::invalid_argument);
        CHECK(std::string{read.what()}.find("descriptor " + std::to_string(pipe.out.get())) != std::string::npos);
        CHECK(failure_of([&] { io::write_all(pipe.in.get(), "x"); }).code() == std::errc::invalid_argument);
    });
}

TEST_CASE("io: a write without a reader is an error, and raises no SIGPIPE") {
    std::signal(SIGPIPE, SIG_DFL);
    in_scheduler([] {
        pipe_ends pipe;
        pipe.out = unique_fd{};
        CHECK(failure_of([&] { io::write_all(pipe.in.get(), "x"); }).code() == std::errc::broken_pipe);
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        reset(near);
        CHECK(failure_of([&] {
                  for (;;) far.write_all("x");
              }).code() == std::errc::connection_reset);
        CHECK(failure_of([&] { far.write_all("x"); }).code() == std::errc::broken_pipe);
    });
}

TEST_CASE("io: a regular file is read and written by the pool, at its current offset") {
    in_scheduler([] {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::tmpfile(), &std::fclose};
        const int fd = ::fileno(file.get());
        io::write_all(fd, "to the disk");
        REQUIRE(::lseek(fd, 3, SEEK_SET) == 3);
        CHECK(next_text(fd) == "the disk");
        CHECK(next_text(fd).empty());
    });
}
