// Tests of sendfile and splice.
#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "net/loopback.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <string>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;

namespace {

/// Bytes whose values depend on their position.
std::string numbered(std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + " ";
    text.resize(bytes);
    return text;
}

class temporary_file {
public:
    explicit temporary_file(const std::string& content) : file_{std::tmpfile(), &std::fclose} {
        REQUIRE(std::fwrite(content.data(), 1, content.size(), file_.get()) == content.size());
        REQUIRE(std::fflush(file_.get()) == 0);
    }
    [[nodiscard]] int fd() const { return ::fileno(file_.get()); }

private:
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace

TEST_CASE("sendfile: sends a part of a file, and does not change the file's offset") {
    in_scheduler([] {
        const temporary_file file{"0123456789"};
        const auto before = ::lseek(file.fd(), 0, SEEK_CUR);
        auto ends = connection::make();
        CHECK(ends.near.sendfile(file.fd(), 2, 5) == 5);
        CHECK(read_text(ends.far) == "23456");
        CHECK(::lseek(file.fd(), 0, SEEK_CUR) == before);
    });
}

TEST_CASE("sendfile: sends less if the file ends earlier") {
    in_scheduler([] {
        const temporary_file file{"0123456789"};
        auto ends = connection::make();
        CHECK(ends.near.sendfile(file.fd(), 7, 100) == 3);
        CHECK(ends.near.sendfile(file.fd(), 100, 1) == 0);
        CHECK(ends.near.sendfile(file.fd(), 0, 0) == 0);
        CHECK(read_text(ends.far) == "789");
    });
}

TEST_CASE("sendfile: megabytes wait for a slow reader, and arrive in order") {
    in_scheduler([] {
        const std::string content = numbered(20 << 20);
        const temporary_file file{content};
        auto ends = connection::make();
        auto sender = coir::spawn([&] {
            const auto sent = ends.near.sendfile(file.fd(), 0, content.size());
            ends.near.shutdown();
            return sent;
        });
        coir::this_fiber::sleep_for(5ms);
        CHECK(read_all(ends.far) == content);
        CHECK(sender.get() == content.size());
    });
}

TEST_CASE("sendfile: ends at its deadline, and reports the number of bytes sent") {
    in_scheduler([] {
        const std::string content(20 << 20, 'x');
        const temporary_file file{content};
        auto ends = connection::make();
        std::error_code ec;
        const auto sent = ends.near.sendfile(file.fd(), 0, content.size(), 20ms, ec);
        CHECK(ec == std::errc::timed_out);
        CHECK(sent > 0);
        CHECK(sent < content.size());
    });
}

TEST_CASE("sendfile: is cancelled while it waits for a reader, and later writes may follow") {
    in_scheduler([] {
        const std::string content(20 << 20, 'x');
        const temporary_file file{content};
        auto ends = connection::make();
        auto sender = coir::spawn([&] { ends.near.sendfile(file.fd(), 0, content.size()); });
        coir::this_fiber::sleep_for(20ms);
        sender.request_stop();
        CHECK_THROWS_AS(sender.get(), coir::fiber_stopped);
        auto writer = coir::spawn([&] {
            ends.near.write_all("end");
            ends.near.shutdown();
        });
        CHECK(read_all(ends.far).ends_with("xend"));
        writer.get();
    });
}

TEST_CASE("sendfile: refuses a closed stream, a disconnected peer, and a descriptor that is not a file") {
    in_scheduler([] {
        const temporary_file file{"text"};
        auto ends = connection::make();
        CHECK(error_of([&] { ends.near.sendfile(-1, 0, 1); }) == std::errc::bad_file_descriptor);
        int pipe[2];
        REQUIRE(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0);
        const coir::detail::unique_fd out{pipe[0]}, in{pipe[1]};
        CHECK(error_of([&] { ends.near.sendfile(out.get(), 0, 1); }) != std::errc{});
        ends.far.set_reset_on_close(true);
        ends.far.close();
        CHECK(error_of([&] {
                  for (int i = 0; i < 100; ++i) ends.near.sendfile(file.fd(), 0, 4);
              }) != std::errc{});
        ends.near.close();
        CHECK(error_of([&] { ends.near.sendfile(file.fd(), 0, 1); }) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("sendfile: close ends a running call, whatever its thread is doing") {
    in_scheduler([] {
        const std::string content(20 << 20, 'x');
        const temporary_file file{content};
        auto ends = connection::make();
        auto sender = coir::spawn([&] { return error_of([&] { ends.near.sendfile(file.fd(), 0, content.size()); }); });
        coir::this_fiber::sleep_for(10ms);
        ends.near.close();
        CHECK(sender.get() == std::errc::operation_canceled);
    });
}

// ---- splice ------------------------------------------------------------------------------------------------------

TEST_CASE("splice_to: forwards all bytes of a stream to another, up to the end") {
    in_scheduler([] {
        const std::string content = numbered(20 << 20);
        auto in = connection::make();
        auto out = connection::make();
        auto writer = coir::spawn([&] {
            in.near.write_all(content);
            in.near.shutdown();
        });
        auto proxy = coir::spawn([&] {
            const auto moved = in.far.splice_to(out.near);
            out.near.shutdown();
            return moved;
        });
        CHECK(read_all(out.far) == content);
        CHECK(proxy.get() == content.size());
        writer.get();
    });
}

TEST_CASE("splice_to: works in both directions at the same time, as in a proxy") {
    in_scheduler([] {
        auto client = connection::make();
        auto server = connection::make();
        coir::task_group proxy;
        proxy.spawn([&] { client.far.splice_to(server.near); });
        proxy.spawn([&] { server.near.splice_to(client.far); });
        for (int i = 0; i < 100; ++i) {
            client.near.write_all("question");
            CHECK(read_text(server.far) == "question");
            server.far.write_all("answer");
            CHECK(read_text(client.near) == "answer");
        }
        client.near.close();
        server.far.close();
        proxy.wait();
    });
}

TEST_CASE("splice_to: ends at its deadline or with a stop, and reports the number of bytes delivered") {
    in_scheduler([] {
        auto in = connection::make();
        auto out = connection::make();
        in.near.write_all("some");
        std::error_code ec;
        CHECK(in.far.splice_to(out.near, 5ms, ec) == 4);
        CHECK(ec == std::errc::timed_out);
        CHECK(read_text(out.far) == "some");
        auto stopped = coir::spawn([&] { in.far.splice_to(out.near); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        in.near.write_all("more");  // no bytes were in transit, so the stream can still be used
        CHECK(read_text(in.far) == "more");
    });
}

TEST_CASE("splice_to: a disconnected or closed target ends it") {
    in_scheduler([] {
        auto in = connection::make();
        auto out = connection::make();
        out.far.set_reset_on_close(true);
        out.far.close();
        in.near.write_all("lost");
        const std::errc gone = error_of([&] {
            for (;;) {
                in.near.write_all("lost");
                in.far.splice_to(out.near, 5ms);
            }
        });
        const bool is_gone = gone == std::errc::broken_pipe || gone == std::errc::connection_reset;
        CHECK(is_gone);
        out.near.close();
        in.near.write_all("lost");
        CHECK(error_of([&] { in.far.splice_to(out.near); }) == std::errc::bad_file_descriptor);
    });
}
